"""Rates by magnitude (Poernomo & Kang 2018)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.parts.rates.base import Rates, magnitudes
from dropover.parts.units import View

__all__ = ["MagnitudeRates"]


@dataclass(frozen=True)
class MagnitudeRates(Rates):
    """Two rates: `p_high` for units of large magnitude, `p_low` for the rest (Poernomo & Kang 2018).

    A unit is large if its mean |x| is above its sample's mean over the units; with `quantile`, above that quantile.
    """

    p_high: float
    p_low: float
    quantile: float | None = None

    def __post_init__(self) -> None:
        validation.settle(
            self,
            p_high=validation.number("p_high", self.p_high, 0, 1),
            p_low=validation.number("p_low", self.p_low, 0, 1),
            quantile=None if self.quantile is None else validation.number("quantile", self.quantile, 0, 1),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (min(self.p_high, self.p_low), max(self.p_high, self.p_low))

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        size = magnitudes(units)
        border = size.mean(dim=1, keepdim=True) if self.quantile is None else _quantile(size, self.quantile)
        return torch.where(size > border, self.p_high, self.p_low)


def _quantile(values: Tensor, quantile: float) -> Tensor:
    """(N, 1) of (N, U), as `torch.quantile`, which neither `vmap` nor very large inputs go through."""
    position = quantile * (values.shape[1] - 1)
    below, above = (
        torch.kthvalue(values, rank + 1, dim=1, keepdim=True).values
        for rank in (math.floor(position), math.ceil(position))
    )
    return torch.lerp(below, above, position % 1)
