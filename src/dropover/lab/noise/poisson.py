"""Poisson noise, as of counted photons."""

import torch
from torch import Tensor

from dropover.lab.noise import NOISES, Noise
from dropover.validation import number


def poisson(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Replace every value x by Poisson(x · level) / level: a pixel at 1 counts `level` photons on average.

    The standard deviation is √(x / level): the larger the level, above 0, the *less* noise.
    """
    if number("level", level, 0) == 0:
        raise ValueError("level must be above 0, got 0: it is how many photons a white pixel counts")
    return torch.poisson(images * level, generator=generator) / level


_UNIT = "photons counted at a white pixel: more are less noise"
NOISES.add(Noise("poisson", (), "as of counted photons", _UNIT, poisson))
