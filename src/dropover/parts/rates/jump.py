"""A rate that is drawn anew for every call, and shared by all its units (Wang, Zhou & Bilmes 2019)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.compute import masks
from dropover.parts.rates.base import Rates
from dropover.parts.units import View

__all__ = ["JumpRate"]

_OTHER = 0x2545F4914F6CDD1D


@dataclass(frozen=True)
class JumpRate(Rates):
    """min(`p_min` + |N(0, `sigma`²)|, `p_max`), divided by the share of active units, at most 1.

    A unit that is 0 is not active: dropping it changes nothing, so that the rate on those that matter is kept by
    dropping more. The share is that of the whole input, over all samples; an input of zeros counts as active.

    Attributes:
        p_min: the most likely rate, in [0, 1].
        p_max: the greatest rate before the division, in [p_min, 1].
        sigma: the standard deviation of the normal distribution whose right half is added.
    """

    p_min: float = 0.01
    p_max: float = 0.6
    sigma: float = 0.1
    uniform = drawn = True

    def __post_init__(self) -> None:
        validation.settle_numbers(self, p_min=(0, 1), p_max=(0, 1), sigma=(0,))
        if self.p_min > self.p_max:
            raise ValueError(f"p_min must be at most p_max, got p_min={self.p_min!r} and p_max={self.p_max!r}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (self.p_min, 1.0 if self.p_max > 0 else 0.0)

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """The rate that a unit is hit with over many calls: the expectation, without dimensions, float64."""
        active = _active(units.x)
        room = (active.clamp(max=self.p_max) - self.p_min).clamp(min=0)  # what the normal number can add
        reach = room / max(self.sigma, 1e-100)
        half_normal = math.sqrt(2 / math.pi) * self.sigma * -torch.expm1(-reach.square() / 2)
        added = half_normal + room * torch.erfc(reach * math.sqrt(0.5))
        return (added + active.clamp(max=self.p_min)) / active

    @torch.no_grad()
    def of_call(self, units: View, key: Tensor | None) -> Tensor:
        """The rate that this key draws, without dimensions, float64; by torch's own generator in a compiled graph."""
        # The mask uses the key itself: its rate gets another one.
        if key is None:
            normal = torch.randn((), dtype=torch.float32, device=units.x.device)
        else:
            normal = masks.normals(key ^ _OTHER, ())
        drawn = (normal.to(torch.float64).abs() * self.sigma + self.p_min).clamp(max=self.p_max)
        return (drawn / _active(units.x)).clamp(max=1)


def _active(x: Tensor) -> Tensor:
    share = (x != 0).sum().to(torch.float64) / x.numel()  # vmap of torch 2.6 knows no count_nonzero
    return torch.where(share > 0, share, 1)
