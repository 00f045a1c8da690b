"""Random crops and flips of a whole batch at once, as is usual for CIFAR (He et al. 2016, section 4.2)."""

from collections.abc import Collection

import torch
from torch import Tensor
from torch.nn import functional as F

PADDING = 4


def augmented(images: Tensor, names: Collection[str], draws: torch.Generator) -> Tensor:
    """Images (N, C, H, W), of any type and on any device, of which every one is changed at random.

    The names are "crop" and "flip", in any order; a crop is always taken first.
    """
    if "crop" in names:
        offsets = torch.randint(2 * PADDING + 1, (2, len(images)), generator=draws)
        images = cropped(images, offsets.to(images.device))
    if "flip" in names:
        which = torch.randint(2, (len(images),), generator=draws).bool()
        images = flipped(images, which.to(images.device))
    return images


def cropped(images: Tensor, offsets: Tensor) -> Tensor:
    """Windows of the images' own size, out of the images (N, C, H, W) with four pixels of zeros around them.

    The offsets (2, N) are the row and column of each window's first pixel, 0 to 8; 4 leaves an image as it is.
    """
    height, width = images.shape[2:]
    padded = F.pad(images, [PADDING] * 4)
    # A view of all 81 windows of each image; indexing copies one of them, and no pixel is visited twice.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(len(images), device=images.device), :, offsets[0], offsets[1]]


def flipped(images: Tensor, which: Tensor) -> Tensor:
    """Images (N, C, H, W) mirrored left to right where `which`, bool of shape (N,), is true."""
    return torch.where(which[:, None, None, None], images.flip(3), images)
