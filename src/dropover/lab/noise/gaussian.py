"""Gaussian noise."""

import torch
from torch import Tensor

from dropover.lab.noise import NOISES, Noise
from dropover.validation import number


def gaussian(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Add N(0, level²) to every value of every pixel; the level is at least 0."""
    number("level", level, 0)
    return images + level * torch.randn(images.shape, generator=generator)


_UNIT = "standard deviation, pixels in [0, 1]"
NOISES.add(Noise("gaussian", (), "normal noise added to every value", _UNIT, gaussian))
