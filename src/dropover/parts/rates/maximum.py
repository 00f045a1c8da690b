"""Rates by the distance from a sample's largest unit (dos Santos et al. 2021)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.parts.rates.base import Rates, magnitudes
from dropover.parts.units import View

__all__ = ["MaximumRates"]


@dataclass(frozen=True)
class MaximumRates(Rates):
    """The chance that 1 - |x| / max |x| is below a number drawn from U(0, `p`) (dos Santos et al. 2021).

    That is 1 - (1 - |x| / max |x|) / p, and 0 where this is negative; |x| is a unit's mean magnitude, and the maximum
    is over its sample's units. A sample's largest unit has the rate 1. All rates are 0 if p is 0 or the sample is.
    """

    p: float

    def __post_init__(self) -> None:
        validation.settle(self, p=validation.number("p", self.p, 0, 1))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (0.0, 1.0 if self.p > 0 else 0.0)

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        size = torch.nan_to_num(magnitudes(units))
        largest = size.amax(dim=1, keepdim=True)
        if self.p == 0:
            return torch.zeros_like(size)
        short_by = 1 - size / torch.where(largest > 0, largest, 1)
        rate = (1 - short_by / max(self.p, 1e-30)).clamp(0, 1)  # float32 has no 1 / 1e-300
        return torch.where(largest > 0, rate, 0)
