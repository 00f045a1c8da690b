"""Noise on test images: one file per kind, found by the registry `NOISES`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dropover.registry import Registry


@dataclass(frozen=True)
class Noise:
    """A kind of noise by name.

    `draw(images, level, generator)` takes images (N, C, H, W) with pixels in [0, 1], on the CPU, and returns noisy
    ones; a level out of range raises `ValueError`. `unit` says what a level measures.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    unit: str
    draw: Callable[[Tensor, float, torch.Generator], Tensor]

    def apply(self, images: Tensor, level: float, generator: torch.Generator, *, clip: bool = True) -> Tensor:
        """Noisy images, clipped back to [0, 1] unless told otherwise; drawn on the CPU, the same for every device."""
        noisy = self.draw(images.to("cpu"), level, generator).to(images.device)
        return noisy.clamp(0, 1) if clip else noisy


NOISES: Registry[Noise] = Registry("noise", __name__)
