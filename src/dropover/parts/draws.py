"""From rates to hits: which units are hit this time.

A draw returns `Hits`, which say of every unit whether it is hit, or how to find out again.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import validation
from dropover.compute import masks
from dropover.compute.hits import Hits
from dropover.parts.rates import ConstantRate, Rates, SampledRates
from dropover.parts.units import Element, Position, Units, map_dims

__all__ = ["Bernoulli", "Blocks", "Shared", "WithReplacement"]


@dataclass(frozen=True)
class Bernoulli:
    """Each unit is hit independently with its own rate."""

    def __call__(
        self, rates: Rates, p: float | Tensor, x: Tensor, units: Units, channel_dim: int, key: Tensor | None
    ) -> Hits:
        """The hits on `x`, one draw a unit."""
        grid = units.grid(x, channel_dim)
        if isinstance(p, Tensor) and p.ndim > 0:
            p = p.reshape(grid)
        if key is None:
            # The compiler fuses its own generator into the kernel; -1 and 1 keep a margin from being 0.
            drawn = torch.where(torch.rand(grid, dtype=torch.float32, device=x.device) < p, -1.0, 1.0)
            return Hits(None, units.spread(drawn, x, channel_dim))
        if isinstance(units, Element) and not isinstance(p, Tensor):
            return Hits(key, None, p)
        return Hits(key, units.spread(masks.margins(key, p, grid), x, channel_dim))


@dataclass(frozen=True)
class WithReplacement:
    """A sample's units are drawn r times with replacement; what is never drawn is hit (Dhillon et al. 2018).

    Goes with `SampledRates`, which says how large r is and how likely each unit is drawn.
    """

    def __call__(
        self, rates: Rates, p: float | Tensor, x: Tensor, units: Units, channel_dim: int, key: Tensor | None
    ) -> Hits:
        """The hits on `x`: the units that were never drawn."""
        if not isinstance(rates, SampledRates):
            raise TypeError(f"draw=WithReplacement() needs rates=SampledRates(...), got rates={rates!r}")
        weights = rates.weights(x, units, channel_dim)
        shape = (weights.shape[0], rates.draws(weights.shape[1]))
        uniform = torch.rand(shape, dtype=torch.float64, device=x.device) if key is None else masks.uniforms(key, shape)
        cumulated = weights.cumsum(dim=1)
        # Scaled by the last sum, so that rounding never points past the end; a sample of zeros keeps everything.
        drawn = torch.searchsorted(cumulated, uniform * cumulated[:, -1:], right=True)
        drawn = drawn.clamp(max=weights.shape[1] - 1)
        kept = torch.full_like(weights, -1.0, dtype=torch.float32).scatter(1, drawn, 1.0)
        kept = torch.where(cumulated[:, -1:] > 0, kept, 1.0)
        return Hits(key, units.spread(kept, x, channel_dim))


@dataclass(frozen=True)
class Shared:
    """One uniform number per call decides for all units: the one with the rate p is hit where the number is below p.

    Each unit is hit with its own rate, but not independently: whoever has a larger rate is hit whenever this one is.
    """

    def __call__(
        self, rates: Rates, p: float | Tensor, x: Tensor, units: Units, channel_dim: int, key: Tensor | None
    ) -> Hits:
        """The hits on `x`: all units whose rate is above the number."""
        uniform = torch.rand((), dtype=torch.float32, device=x.device) if key is None else masks.uniforms(key, ())
        # Float32 would round the largest numbers up to 1, and a rate of 1 would miss them.
        uniform = uniform.clamp(max=1 - 2.0**-24).to(torch.float32)
        margins = torch.where(uniform < p, -1.0, 1.0)
        grid = units.grid(x, channel_dim)
        return Hits(
            key, units.spread(margins.reshape(grid) if margins.ndim > 0 else margins.expand(grid), x, channel_dim)
        )


@dataclass(frozen=True)
class Blocks:
    """Contiguous blocks of `size` positions in each dimension of a map are hit as one (Ghiasi et al. 2018).

    Goes with a constant rate, which is the probability that a unit is hit, the same everywhere: a block's corner may
    lie outside the map, so that every unit, at a border too, is covered by size^d possible blocks of d dimensions.
    Each exists with probability 1 - (1 - p)^(1 / size^d). Element units have blocks of their own in each channel,
    position units the same blocks in all.
    """

    size: int

    def __post_init__(self) -> None:
        validation.settle(self, size=validation.whole("size", self.size, 1))

    def __call__(
        self, rates: Rates, p: float | Tensor, x: Tensor, units: Units, channel_dim: int, key: Tensor | None
    ) -> Hits:
        """The hits on `x`: all units that a block covers."""
        if not isinstance(units, (Element, Position)) or not isinstance(rates, ConstantRate):
            raise TypeError(
                f"draw={self!r} needs element or position units and a constant rate, got {units} and {rates}"
            )
        dims = map_dims(x, channel_dim, "blocks")
        sides = [x.shape[dim] for dim in dims]
        if min(sides) < self.size:
            raise ValueError(
                f"block_size must be at most {min(sides)}, the shortest side of a map {tuple(sides)}, got {self.size}"
            )
        shape = list(units.grid(x, channel_dim))
        if isinstance(units, Position):
            dims = list(range(1, len(shape)))
        for dim in dims:
            shape[dim] += self.size - 1
        block = self.size ** len(dims)
        corner_rate: float | Tensor
        if isinstance(p, Tensor):  # a scheduled rate in a compiled graph
            corner_rate = -torch.expm1(torch.log1p(-p) / block)
        else:
            corner_rate = -math.expm1(math.log1p(-p) / block) if p < 1 else 1.0
        if key is None or isinstance(corner_rate, Tensor):
            corners = torch.rand(shape, dtype=torch.float32, device=x.device) < corner_rate
        else:
            corners = masks.seldom(key, corner_rate, tuple(shape))
        margins = torch.where(corners, -1.0, 1.0)
        for dim in dims:
            margins = _least_of_neighbours(margins, dim, self.size)
        return Hits(key, units.spread(margins, x, channel_dim))


def _least_of_neighbours(values: Tensor, dim: int, size: int) -> Tensor:
    """The minimum over each window of `size` neighbours along a dimension, by windows of doubled size."""
    width = 1
    while width < size:
        step = min(width, size - width)
        length = values.shape[dim] - step
        values = torch.minimum(values.narrow(dim, 0, length), values.narrow(dim, step, length))
        width += step
    return values


Draw = Bernoulli | WithReplacement | Shared | Blocks


def as_draw(draw: Draw | None, *rules: Rates | None) -> Draw:
    """The draw that a user asks for, independent by default; `TypeError` if it doesn't go with one of the rules."""
    draw = Bernoulli() if draw is None else draw
    # Tuples, here and above: the compiler of torch 2.6 can't read a union of types.
    if not isinstance(draw, (Bernoulli, WithReplacement, Shared, Blocks)):
        raise TypeError(f"draw must be Bernoulli() or another of dropover's draws, got {draw!r}")
    for rule in rules:
        if isinstance(draw, WithReplacement) and not (rule is None or isinstance(rule, SampledRates)):
            raise TypeError(f"draw=WithReplacement() needs rates=SampledRates(...), got rates={rule!r}")
        if isinstance(draw, Blocks) and not (rule is None or isinstance(rule, ConstantRate)):
            raise TypeError(f"draw={draw!r} needs a constant rate, got rates={rule!r}")
    return draw
