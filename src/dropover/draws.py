"""From rates to hits: which units are hit this time.

A draw returns `Hits`, which say of every unit whether it is hit, or how to find out again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover import masks
from dropover.rates import Rates, SampledRates
from dropover.units import Element, Units


@dataclass(frozen=True)
class Hits:
    """Which units are hit.

    Attributes:
        key: the call's random key; None in a compiled graph, where the compiler's own random numbers serve.
        margins: float32, to be broadcast over the input, negative where a unit is hit and never 0; or None, where
            every element is hit with the same rate `p`: then the key alone says which.
        p: that rate.
    """

    key: Tensor | None
    margins: Tensor | None
    p: float = 0.0


@dataclass(frozen=True)
class Bernoulli:
    """Each unit is hit independently with its own rate."""

    def __call__(
        self, rates: Rates, p: float | Tensor, x: Tensor, units: Units, channel_dim: int, key: Tensor | None
    ) -> Hits:
        """The hits on `x`, one draw a unit."""
        grid = units.grid(x, channel_dim)
        if isinstance(p, Tensor):
            p = p.reshape(grid)
        if key is None:
            # The compiler fuses its own generator into the kernel; -1 and 1 keep a margin from being 0.
            drawn = torch.where(torch.rand(grid, device=x.device) < p, -1.0, 1.0)
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


Draw = Bernoulli | WithReplacement
