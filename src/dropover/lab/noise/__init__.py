"""Noise on test images: one file per kind, found by the registry `NOISES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dropover.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """A kind of noise by name.

    `apply(images, level, generator)` takes images (N, C, H, W) with pixels in [0, 1] and returns noisy ones, clipped
    back to [0, 1]; level 0 returns them unchanged; a level out of range raises `ValueError`. `unit` says what a
    level measures.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    unit: str
    apply: Callable[[Tensor, float, torch.Generator], Tensor]


NOISES: Registry[Noise] = Registry("noise", __name__)
