"""Rates by the density of units around a unit (Ke et al. 2020)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.compute.density import crowding
from dropover.parts.rates.base import Rates
from dropover.parts.units import View

__all__ = ["DensityRates"]

DEFAULT_BINS = {1: 25, 2: 5, 3: 3}  # Ke et al. 2020, Experimental Results


@dataclass(frozen=True)
class DensityRates(Rates):
    """p = slope · ρ / max ρ + intercept, ρ the density of units around a unit (Ke et al. 2020, eq. 1).

    Attributes:
        components: principal axes that the units are projected on, 1 to 3.
        bins: bins per axis; by default 25, 5 and 3 for 1, 2 and 3 axes.
        slope: κ in the paper.
        intercept: α in the paper.
    """

    components: int = 2
    bins: int | None = None
    slope: float = -0.8
    intercept: float = 0.9

    def __post_init__(self) -> None:
        validation.choice("components", self.components, DEFAULT_BINS)
        validation.settle(
            self,
            components=validation.whole("components", self.components, 1),
            bins=None if self.bins is None else validation.whole("bins", self.bins, 1),
            slope=validation.number("slope", self.slope),
            intercept=validation.number("intercept", self.intercept),
        )
        low, high = self.bounds
        if low < 0 or high > 1:
            raise ValueError(
                f"slope and intercept must keep slope * density + intercept in [0, 1] for every relative density in "
                f"(0, 1], got slope={self.slope!r} and intercept={self.intercept!r}, which reach {low:g} to {high:g}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate. Rounding is forgiven: -0.8 + 0.8 is 0."""
        ends = (self.intercept, round(self.slope + self.intercept, 12))
        return (min(ends), max(ends))

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        x = units.x
        if self.components > 1 and x.ndim < 3:
            raise ValueError(
                f"density with components={self.components} takes maps (N, C, *) of at least 3 dimensions, got an "
                f"input of shape {tuple(x.shape)}; components=1 takes features (N, C)"
            )
        # Autocast would accumulate the covariance in half precision.
        with torch.autocast(x.device.type, enabled=False):
            density = crowding(units.observations(), self.components, self.bins or DEFAULT_BINS[self.components])
        return (density * self.slope + self.intercept).clamp(0, 1)
