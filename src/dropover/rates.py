"""With what probability is each unit hit? One frozen rule per answer.

A rule gets the input and its units and returns one number, or one per unit as (N, units of a sample), without
gradient. `bounds` are the least and greatest rate that it can give.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover import validation
from dropover.density import principal_projections, relative_density
from dropover.units import Units

DEFAULT_BINS = {1: 25, 2: 5, 3: 3}  # Ke et al. 2020, Experimental Results


@dataclass(frozen=True)
class ConstantRate:
    """The same rate `p` for every unit."""

    p: float

    def __post_init__(self) -> None:
        validation.number("p", self.p, 0, 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (self.p, self.p)

    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> float:
        """The rate."""
        return float(self.p)


@dataclass(frozen=True)
class MagnitudeRates:
    """Two rates: `p_high` for units of large magnitude, `p_low` for the rest (Poernomo & Kang 2018).

    A unit is large if its mean |x| is above its sample's mean over the units; with `quantile`, above that quantile.
    """

    p_high: float
    p_low: float
    quantile: float | None = None

    def __post_init__(self) -> None:
        validation.number("p_high", self.p_high, 0, 1)
        validation.number("p_low", self.p_low, 0, 1)
        if self.quantile is not None:
            validation.number("quantile", self.quantile, 0, 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (min(self.p_high, self.p_low), max(self.p_high, self.p_low))

    @torch.no_grad()
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        size = magnitudes(x, units, channel_dim)
        if self.quantile is None:
            border = size.mean(dim=1, keepdim=True)
        else:
            border = torch.quantile(size, self.quantile, dim=1, keepdim=True)
        return torch.where(size > border, self.p_high, self.p_low)


@dataclass(frozen=True)
class DensityRates:
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
        if self.bins is not None:
            validation.whole("bins", self.bins, 1)
        validation.number("slope", self.slope)
        validation.number("intercept", self.intercept)
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
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        if self.components > 1 and x.ndim < 3:
            raise ValueError(
                f"density with components={self.components} takes maps (N, C, *) of at least 3 dimensions, got an "
                f"input of shape {tuple(x.shape)}; components=1 takes features (N, C)"
            )
        # Autocast would accumulate the covariance in half precision.
        with torch.autocast(x.device.type, enabled=False):
            projected = principal_projections(units.observations(x, channel_dim), self.components)
            density = relative_density(projected, self.bins or DEFAULT_BINS[self.components])
        return (density * self.slope + self.intercept).clamp(0, 1)


@dataclass(frozen=True)
class SampledRates:
    """The chance not to be drawn in r draws with replacement, by magnitude (Dhillon et al. 2018).

    q = |h| / Σ|h| over a sample's units, r = ceil(fraction · units), p = (1 - q)^r. A sample whose activations are
    all 0 has nothing to prune: its rates are 0.
    """

    fraction: float = 1.0

    def __post_init__(self) -> None:
        validation.number("fraction", self.fraction, 0)
        if self.fraction == 0:
            raise ValueError("fraction must be above 0, got 0: nothing would be drawn and everything pruned")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (0.0, 1.0)

    def draws(self, units: int) -> int:
        """How many draws a sample of that many units gets: r."""
        return math.ceil(self.fraction * units)

    @torch.no_grad()
    def weights(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units), float64: q, or zeros for a sample of zeros."""
        size = torch.nan_to_num(magnitudes(x, units, channel_dim).to(torch.float64))
        total = size.sum(dim=1, keepdim=True)
        return size / torch.where(total > 0, total, 1)

    @torch.no_grad()
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's chance to be missed by every draw."""
        weights = self.weights(x, units, channel_dim)
        missed = torch.exp(torch.log1p(-weights) * self.draws(weights.shape[1]))
        return torch.where(weights.sum(dim=1, keepdim=True) > 0, missed, 0).to(torch.float32)


class StrengthRates(nn.Module):
    """Rates by a learned strength t of each unit, which multiplies the unit and is trained (Keshari et al. 2019).

    Args:
        num_units: units of a sample.
        p: the rate, in [0, 1].
        mode: "top" hits the ceil(p · num_units) strongest units; "active" hits each unit of the upper half of a
            histogram of t, from its least to its greatest value, with probability p. The source leaves the border
            open; while all strengths are equal, all are active.
    """

    def __init__(self, num_units: int, p: float, mode: str = "active") -> None:
        super().__init__()
        self.num_units = validation.whole("num_units", num_units, 1)
        self.p = validation.number("p", p, 0, 1)
        validation.choice("mode", mode, ("top", "active"))
        self.mode = mode
        self.strength = nn.Parameter(torch.ones(num_units))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (0.0, 1.0 if self.mode == "top" and self.p > 0 else self.p)

    @torch.no_grad()
    def forward(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, num_units): the rate of each unit, the same in every sample."""
        t = self.strength
        if self.mode == "top":
            strongest = torch.topk(t, math.ceil(self.p * self.num_units)).indices
            rate = torch.zeros_like(t).index_fill(0, strongest, 1.0)
        else:
            rate = torch.where(t >= (t.min() + t.max()) / 2, self.p, 0.0)
        return rate.expand(x.shape[0], -1)

    def modulate(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """`x` times its units' strengths."""
        size = units.grid(x, channel_dim)[1:]
        if math.prod(size) != self.num_units:
            raise ValueError(f"num_units must match the input's {math.prod(size)} units, got {self.num_units}")
        strength = self.strength.expand(x.shape[0], -1)
        return x * units.spread(strength, x, channel_dim).to(x.dtype)

    def __repr__(self) -> str:
        return f"StrengthRates(num_units={self.num_units}, p={self.p}, mode={self.mode!r})"


def fixed_strength(strength: Tensor, p: float, mode: str) -> StrengthRates:
    """The rule over a given tensor of strengths (num_units,) instead of a parameter of its own."""
    rule = StrengthRates(strength.numel(), p, mode)
    del rule.strength
    rule.strength = strength  # type: ignore[assignment]  # a plain tensor, so that gradients reach the caller's
    return rule


Rates = ConstantRate | MagnitudeRates | DensityRates | SampledRates | StrengthRates


def magnitudes(x: Tensor, units: Units, channel_dim: int) -> Tensor:
    """(N, units of a sample), float32 or better: each unit's mean |x|."""
    observed = units.observations(x, channel_dim).abs()
    return observed.to(torch.promote_types(x.dtype, torch.float32)).mean(dim=2)


def constant(name: str, p: float) -> ConstantRate:
    """A constant rate given as the argument called `name`, which an error then names."""
    validation.number(name, p, 0, 1)
    return ConstantRate(p)


def as_rates(rates: Rates | float) -> Rates:
    """The rule that a user's number means: a constant rate."""
    if isinstance(rates, Rates):
        return rates
    return constant("rates", rates)
