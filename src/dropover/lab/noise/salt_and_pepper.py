"""Salt-and-pepper noise."""

import torch
from torch import Tensor

from dropover.lab.noise import NOISES, Noise
from dropover.validation import number


def salt_and_pepper(images: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Turn each pixel, all its channels together, black or white with probability `level` / 2 each, of [0, 1]."""
    number("level", level, 0, 1)
    count, _, height, width = images.shape
    draw = torch.rand((count, 1, height, width), generator=generator)
    noisy = images.masked_fill(draw < level, 1.0)
    return noisy.masked_fill(draw < level / 2, 0.0)


_SUMMARY = "pixels turned black or white"
NOISES.add(Noise("salt-and-pepper", ("salt-pepper",), _SUMMARY, "fraction of pixels", salt_and_pepper))
