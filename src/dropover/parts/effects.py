"""What happens to a hit unit: zeroed, multiplied by a negative number, multiplied by noise."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dropover import validation
from dropover.compute import masks
from dropover.compute.hits import Hits
from dropover.compute.selection import select

__all__ = ["Flip", "Noise", "Zero"]

_OTHER = 0x5851F42D4C957F2D


@dataclass(frozen=True)
class Effect:
    """What happens to a hit unit. Your own effect is a subclass with a `mean` and a `__call__`."""

    rescale: ClassVar[str] = "none"  # unless a user asks for another

    @property
    def mean(self) -> float:
        """The expectation of a hit unit's factor, which rescaling needs."""
        raise NotImplementedError(f"{type(self).__name__} must say the mean factor of a hit unit")

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, with its effect where hit; `scale` is a number or a tensor to be broadcast over `x`."""
        raise NotImplementedError(f"{type(self).__name__} must say in __call__ what becomes of a hit unit")


class Zero(Effect):
    """A hit unit becomes 0."""

    rescale = "mean"
    mean = 0.0

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, and 0 where hit."""
        return select(x, hits, 0.0, scale)


@dataclass(frozen=True)
class Flip(Effect):
    """A hit unit is multiplied by -`amplitude` (Liang et al. 2024); amplitude 0 is zeroing."""

    amplitude: float = 1.0

    def __post_init__(self) -> None:
        validation.settle_numbers(self, amplitude=(0,))

    @property
    def mean(self) -> float:
        """The factor of a hit unit."""
        return -self.amplitude

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, times -amplitude where hit."""
        return select(x, hits, -self.amplitude, scale)


@dataclass(frozen=True)
class Noise(Effect):
    """Every element of a hit unit is multiplied by its own draw from N(1, `std`²) (Srivastava et al. 2014)."""

    std: float = 0.5
    mean = 1.0

    def __post_init__(self) -> None:
        validation.settle_numbers(self, std=(0,))

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, times noise where hit."""
        if hits.key is None:
            noise = torch.randn_like(x)
        else:
            # The mask has used this key: its noise gets another one.
            noise = masks.normals(hits.key ^ _OTHER, tuple(x.shape)).to(x.dtype)
        factor = noise * self.std + 1
        if not hits.everywhere:
            factor = torch.where(hits.margins_over(tuple(x.shape)) < 0, factor, 1)
        # Multiplied in the input's layout: `factor` is contiguous, and a product takes the layout of its first operand.
        return x * factor * (scale.to(x.dtype) if isinstance(scale, Tensor) else scale)


_BY_NAME: dict[str, Effect] = {"zero": Zero(), "flip": Flip(), "noise": Noise()}


def as_effect(effect: Effect | str) -> Effect:
    """The effect that a user's word means: "zero", "flip" or "noise"."""
    if isinstance(effect, str):
        validation.choice("effect", effect, _BY_NAME)
        return _BY_NAME[effect]
    if not isinstance(effect, Effect):
        raise TypeError(f"effect must be a name or one of dropover's effects, got {effect!r}")
    return effect
