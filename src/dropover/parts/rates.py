"""With what probability is each unit hit? One frozen rule per answer.

A rule gets the input and its units and returns one number (a float or a tensor without dimensions), or one per unit
as (N, units of a sample), without gradient. `bounds` are the least and greatest rate that it can give.
"""

import math
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor, nn

from dropover import validation
from dropover.compute.density import crowding
from dropover.parts import schedules
from dropover.parts.jump_rate import JumpRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Units

__all__ = ["ConstantRate", "DensityRates", "MagnitudeRates", "MaximumRates", "SampledRates", "StrengthRates"]

DEFAULT_BINS = {1: 25, 2: 5, 3: 3}  # Ke et al. 2020, Experimental Results


@dataclass(frozen=True)
class ConstantRate:
    """The same rate `p` for every unit: a number, or a schedule, which a layer turns into one as training goes on."""

    p: Rate

    def __post_init__(self) -> None:
        validation.settle(self, p=schedules.check("p", self.p))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return schedules.bounds(self.p)

    def at(self, progress: float) -> float:
        """The rate at a progress of training in [0, 1]."""
        return schedules.rate_at(self.p, progress)

    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> float:
        """The rate; `TypeError` for a schedule."""
        if callable(self.p):
            raise TypeError(
                f"p must be a number here, got {self.p!r}: a function knows no progress of training; a layer follows "
                "schedules, or pass the schedule's value"
            )
        return self.p


@dataclass(frozen=True)
class MagnitudeRates:
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
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        size = magnitudes(x, units, channel_dim)
        border = size.mean(dim=1, keepdim=True) if self.quantile is None else _quantile(size, self.quantile)
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
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        if self.components > 1 and x.ndim < 3:
            raise ValueError(
                f"density with components={self.components} takes maps (N, C, *) of at least 3 dimensions, got an "
                f"input of shape {tuple(x.shape)}; components=1 takes features (N, C)"
            )
        # Autocast would accumulate the covariance in half precision.
        with torch.autocast(x.device.type, enabled=False):
            bins = self.bins or DEFAULT_BINS[self.components]
            density = crowding(units.observations(x, channel_dim), self.components, bins)
        return (density * self.slope + self.intercept).clamp(0, 1)


@dataclass(frozen=True)
class SampledRates:
    """The chance not to be drawn in r draws with replacement, by magnitude (Dhillon et al. 2018).

    q = |h| / Σ|h| over a sample's units, r = ceil(fraction · units), p = (1 - q)^r. A sample whose activations are
    all 0 has nothing to prune: its rates are 0.
    """

    fraction: float = 1.0

    def __post_init__(self) -> None:
        validation.settle(self, fraction=validation.number("fraction", self.fraction, 0))
        if self.fraction == 0:
            raise ValueError("fraction must be above 0, got 0: nothing would be drawn and everything pruned")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (0.0, 1.0)

    def draws(self, units: int) -> int:
        """How many draws a sample of that many units gets: r."""
        return share(self.fraction, units)

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
        # In float64: what survives seldom has a rate so close to 1 that float32 would lose the difference.
        return torch.where(weights.sum(dim=1, keepdim=True) > 0, missed, 0)


@dataclass(frozen=True)
class MaximumRates:
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
    def __call__(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """(N, units of a sample): each unit's rate."""
        size = torch.nan_to_num(magnitudes(x, units, channel_dim))
        largest = size.amax(dim=1, keepdim=True)
        if self.p == 0:
            return torch.zeros_like(size)
        short_by = 1 - size / torch.where(largest > 0, largest, 1)
        rate = (1 - short_by / max(self.p, 1e-30)).clamp(0, 1)  # float32 has no 1 / 1e-300
        return torch.where(largest > 0, rate, 0)


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
            strongest = torch.topk(t, share(self.p, self.num_units)).indices
            rate = torch.zeros_like(t).index_fill(0, strongest, 1.0)
        else:
            rate = torch.where(t >= (t.min() + t.max()) / 2, self.p, 0.0)
        return rate.expand(x.shape[0], -1)

    def modulate(self, x: Tensor, units: Units, channel_dim: int) -> Tensor:
        """`x` times its units' strengths."""
        size = units.grid(x, channel_dim)[1:]
        if math.prod(size) != self.num_units:
            raise ValueError(
                f"num_units must match the input's {math.prod(size)} units, got {self.num_units}; the input has shape "
                f"{tuple(x.shape)}, and channel_dim is {channel_dim}"
            )
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


Rates = ConstantRate | MagnitudeRates | MaximumRates | DensityRates | SampledRates | StrengthRates | JumpRate


def share(fraction: float, units: int) -> int:
    """ceil(fraction · units), where the product's rounding doesn't count: 7 of 0.07 · 100, not 8."""
    return math.ceil(fraction * units * (1 - 1e-12))


def magnitudes(x: Tensor, units: Units, channel_dim: int) -> Tensor:
    """(N, units of a sample), float32 or better: each unit's mean |x|."""
    observed = units.observations(x, channel_dim).abs()
    return observed.to(torch.promote_types(x.dtype, torch.float32)).mean(dim=2)


def _quantile(values: Tensor, quantile: float) -> Tensor:
    """(N, 1) of (N, U), as `torch.quantile`, which neither `vmap` nor very large inputs go through."""
    position = quantile * (values.shape[1] - 1)
    below, above = (
        torch.kthvalue(values, rank + 1, dim=1, keepdim=True).values
        for rank in (math.floor(position), math.ceil(position))
    )
    return torch.lerp(below, above, position % 1)


def constant(name: str, p: Rate) -> ConstantRate:
    """A constant rate given as the argument called `name`, which an error then names."""
    return ConstantRate(schedules.check(name, p))


def is_scheduled(rule: Rates | None) -> TypeGuard[ConstantRate]:
    """Whether a rule's rate follows a schedule."""
    return isinstance(rule, ConstantRate) and callable(rule.p)


def as_rates(rates: Rates | Rate) -> Rates:
    """The rule that a user's number or schedule means: a constant rate."""
    # A tuple: the compiler of torch 2.6 can't read a union of types.
    rules = (ConstantRate, MagnitudeRates, MaximumRates, DensityRates, SampledRates, StrengthRates, JumpRate)
    return rates if isinstance(rates, rules) else constant("rates", rates)
