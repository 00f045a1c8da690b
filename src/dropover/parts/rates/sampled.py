"""Rates of what is sampled with replacement, by magnitude (Dhillon et al. 2018)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.parts.rates.base import Rates, magnitudes, share
from dropover.parts.units import View

__all__ = ["SampledRates"]


@dataclass(frozen=True)
class SampledRates(Rates):
    """The chance not to be drawn in r draws with replacement, by magnitude (Dhillon et al. 2018).

    q = |h| / Σ|h| over a sample's units, r = ceil(fraction · units), p = (1 - q)^r. A sample whose activations are
    all 0 has nothing to prune: its rates are 0.
    """

    fraction: float = 1.0

    def __post_init__(self) -> None:
        validation.settle(self, fraction=validation.number("fraction", self.fraction, 0))
        if self.fraction == 0:
            raise ValueError("fraction must be above 0, got 0: nothing would be drawn and everything pruned")

    def draws(self, units: int) -> int:
        """How many draws a sample of that many units gets: r."""
        return share(self.fraction, units)

    @torch.no_grad()
    def weights(self, units: View) -> Tensor:
        """(N, units), float64: q, or zeros for a sample of zeros."""
        size = torch.nan_to_num(magnitudes(units).to(torch.float64))
        total = size.sum(dim=1, keepdim=True)
        return size / torch.where(total > 0, total, 1)

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """(N, units of a sample): each unit's chance to be missed by every draw."""
        weights = self.weights(units)
        missed = torch.exp(torch.log1p(-weights) * self.draws(weights.shape[1]))
        # In float64: what survives seldom has a rate so close to 1 that float32 would lose the difference.
        return torch.where(weights.sum(dim=1, keepdim=True) > 0, missed, 0)
