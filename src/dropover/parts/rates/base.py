"""What every rate rule answers; a rule is a file here that says what differs from the defaults."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from dropover.parts.units import View


class Rates:
    """With what probability is each unit hit? Your own rule is a subclass with a `__call__`.

    Attributes:
        uniform: whether all units of a call have the same rate.
        drawn: whether that rate is drawn anew for every call: then `of_call` gives it, and calling the rule its mean.
        modulates: whether the layer's input is first changed, in either mode: by `modulate`.
    """

    uniform: ClassVar[bool] = False
    drawn: ClassVar[bool] = False
    modulates: ClassVar[bool] = False

    def __call__(self, units: View) -> float | Tensor:
        """One rate (a number or a tensor without dimensions), or (N, units of a sample); without gradient."""
        raise NotImplementedError(f"{type(self).__name__} must say in __call__ with what probability units are hit")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate that it can give."""
        return (0.0, 1.0)

    @property
    def may_act(self) -> bool:
        """Whether it can change an input at all."""
        return self.modulates or self.bounds[1] > 0

    @property
    def scheduled(self) -> bool:
        """Whether the rate follows a schedule: then `at` gives it."""
        return False

    def at(self, progress: float) -> float:
        """The rate at a progress of training in [0, 1]; an error as `schedules.rate_at` says."""
        raise TypeError(f"{self!r} follows no schedule")

    def of_call(self, units: View, key: Tensor | None) -> Tensor:
        """The rate that a call's key draws, without dimensions; by torch's own generator in a compiled graph."""
        raise TypeError(f"{self!r} has the same rates in every call")

    def modulate(self, units: View) -> Tensor:
        """What becomes of the activations before any unit is hit."""
        return units.x


def share(fraction: float, units: int) -> int:
    """ceil(fraction · units), where the product's rounding doesn't count: 7 of 0.07 · 100, not 8."""
    return math.ceil(fraction * units * (1 - 1e-12))


def magnitudes(units: View) -> Tensor:
    """(N, units of a sample), float32 or better: each unit's mean |x|."""
    observed = units.observations().abs()
    return observed.to(torch.promote_types(observed.dtype, torch.float32)).mean(dim=2)
