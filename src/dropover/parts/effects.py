"""What happens to a hit unit: zeroed, multiplied by a negative number, multiplied by noise.

`mean` is the expectation of a hit unit's factor, which rescaling needs; `rescale` is the rescaling that goes with the
effect unless a user asks for another.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.compute import masks
from dropover.compute.hits import Hits
from dropover.compute.selection import element_margins, select

__all__ = ["Flip", "Noise", "Zero"]


@dataclass(frozen=True)
class Zero:
    """A hit unit becomes 0."""

    @property
    def mean(self) -> float:
        """The expected factor of a hit unit."""
        return 0.0

    @property
    def rescale(self) -> str:
        """The usual rescaling."""
        return "mean"

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, and 0 where hit."""
        return select(x, hits, 0.0, scale)


@dataclass(frozen=True)
class Flip:
    """A hit unit is multiplied by -`amplitude` (Liang et al. 2024); amplitude 0 is zeroing."""

    amplitude: float = 1.0

    def __post_init__(self) -> None:
        validation.settle(self, amplitude=validation.number("amplitude", self.amplitude, 0))

    @property
    def mean(self) -> float:
        """The expected factor of a hit unit."""
        return -self.amplitude

    @property
    def rescale(self) -> str:
        """The usual rescaling: none, as in the article."""
        return "none"

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, times -amplitude where hit."""
        return select(x, hits, -self.amplitude, scale)


@dataclass(frozen=True)
class Noise:
    """Every element of a hit unit is multiplied by its own draw from N(1, `std`²) (Srivastava et al. 2014)."""

    std: float = 0.5

    def __post_init__(self) -> None:
        validation.settle(self, std=validation.number("std", self.std, 0))

    @property
    def mean(self) -> float:
        """The expected factor of a hit unit."""
        return 1.0

    @property
    def rescale(self) -> str:
        """The usual rescaling: none is needed, the factor's expectation is 1."""
        return "none"

    def __call__(self, x: Tensor, hits: Hits, scale: float | Tensor) -> Tensor:
        """`scale` · x, times noise where hit."""
        if hits.key is None:
            noise = torch.randn_like(x)
        else:
            # The mask has used this key: its noise gets another one.
            noise = masks.normals(hits.key ^ _OTHER, tuple(x.shape)).to(x.dtype)
        factor = noise * self.std + 1
        if hits.margins is not None:
            factor = torch.where(hits.margins < 0, factor, 1)
        elif hits.key is not None and hits.p < 1:
            factor = torch.where(element_margins(hits.key, hits.p, x.shape, None, torch.float32) < 0, factor, 1)
        # Multiplied in the input's layout: `factor` is contiguous, and a product takes the layout of its first operand.
        return x * factor * (scale.to(x.dtype) if isinstance(scale, Tensor) else scale)


_OTHER = 0x5851F42D4C957F2D

Effect = Zero | Flip | Noise

_BY_NAME: dict[str, Effect] = {"zero": Zero(), "flip": Flip(), "noise": Noise()}


def as_effect(effect: Effect | str) -> Effect:
    """The effect that a user's word means: "zero", "flip" or "noise"."""
    if isinstance(effect, str):
        validation.choice("effect", effect, _BY_NAME)
        return _BY_NAME[effect]
    if not isinstance(effect, (Zero, Flip, Noise)):  # a tuple: the compiler of torch 2.6 can't read a union
        raise TypeError(f"effect must be a name or one of dropover's effects, got {effect!r}")
    return effect
