"""Gaussian noise."""

import torch
from torch import Tensor

from dropover.lab.noise import NOISES, Noise
from dropover.validation import number


def gaussian(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Add N(0, level²) to every value of every pixel.

    Raises:
        ValueError: `level` is negative.
    """
    number("level", level, 0)
    noise = torch.randn(images.shape, generator=generator)
    return images + level * noise


NOISES.add(
    Noise(
        "gaussian",
        (),
        "normal noise added to every value",
        "standard deviation, pixels in [0, 1]",
        gaussian,
    )
)
