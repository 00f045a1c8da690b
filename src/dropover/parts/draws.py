"""From rates to hits: which units are hit this time.

A draw returns `Hits`, which say of every unit whether it is hit, or how to find out again.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dropover import validation
from dropover.compute import masks
from dropover.compute.hits import Hits
from dropover.parts.rates.base import Rates
from dropover.parts.rates.sampled import SampledRates
from dropover.parts.units import View, map_dims

__all__ = ["Bernoulli", "Blocks", "Shared", "WithReplacement"]


@dataclass(frozen=True)
class Draw:
    """From rates to hits. Your own draw is a subclass with a `__call__`."""

    uses_channels: ClassVar[bool] = False  # whether it matters which dimension holds the channels
    shared: ClassVar[bool] = False  # whether one random number decides for all samples of a call

    def __call__(self, rates: Rates, p: float | Tensor, units: View, key: Tensor | None) -> Hits:
        """The hits on `units` with the rates `p` of a rule: a number, without dimensions, or (N, units of a sample).

        `key` is the call's random key; None in a compiled graph, where torch's own random numbers serve.
        """
        raise NotImplementedError(f"{type(self).__name__} must say in __call__ which units are hit")

    def check(self, rates: Rates) -> None:
        """Raise `TypeError` for a rule that the draw doesn't go with."""


class Bernoulli(Draw):
    """Each unit is hit independently with its own rate."""

    def __call__(self, rates: Rates, p: float | Tensor, units: View, key: Tensor | None) -> Hits:
        """The hits on `units`, one draw a unit."""
        shape = units.shape
        if isinstance(p, Tensor) and p.ndim > 0:
            p = p.reshape(shape)
        if key is None:
            # The compiler fuses its own generator into the kernel; -1 and 1 keep a margin from being 0.
            return Hits(None, torch.where(torch.rand(shape, dtype=torch.float32, device=units.x.device) < p, -1.0, 1.0))
        if units.units.elementwise and not isinstance(p, Tensor):
            return Hits(key, None, p)
        return Hits(key, masks.margins(key, p, shape))


class WithReplacement(Draw):
    """A sample's units are drawn r times with replacement; what is never drawn is hit (Dhillon et al. 2018).

    Goes with `SampledRates`, which says how large r is and how likely each unit is drawn.
    """

    def __call__(self, rates: Rates, p: float | Tensor, units: View, key: Tensor | None) -> Hits:
        """The hits on `units`: those that were never drawn."""
        assert isinstance(rates, SampledRates)  # as `check` has seen
        weights = rates.weights(units)
        shape = (weights.shape[0], rates.draws(weights.shape[1]))
        device = units.x.device
        uniform = torch.rand(shape, dtype=torch.float64, device=device) if key is None else masks.uniforms(key, shape)
        cumulated = weights.cumsum(dim=1)
        # Scaled by the last sum, so that rounding never points past the end; a sample of zeros keeps everything.
        drawn = torch.searchsorted(cumulated, uniform * cumulated[:, -1:], right=True)
        drawn = drawn.clamp(max=weights.shape[1] - 1)
        kept = torch.full_like(weights, -1.0, dtype=torch.float32).scatter(1, drawn, 1.0)
        return Hits(key, units.spread(torch.where(cumulated[:, -1:] > 0, kept, 1.0)))

    def check(self, rates: Rates) -> None:
        """Raise `TypeError` for another rule than `SampledRates`."""
        if not isinstance(rates, SampledRates):
            raise TypeError(f"draw=WithReplacement() needs rates=SampledRates(...), got rates={rates!r}")


class Shared(Draw):
    """One uniform number per call decides for all units: the one with the rate p is hit where the number is below p.

    Each unit is hit with its own rate, but not independently: whoever has a larger rate is hit whenever this one is.
    """

    shared = True

    def __call__(self, rates: Rates, p: float | Tensor, units: View, key: Tensor | None) -> Hits:
        """The hits on `units`: all whose rate is above the number."""
        device = units.x.device
        uniform = torch.rand((), dtype=torch.float32, device=device) if key is None else masks.uniforms(key, ())
        # Float32 would round the largest numbers up to 1, and a rate of 1 would miss them.
        uniform = uniform.clamp(max=1 - 2.0**-24).to(torch.float32)
        margins = torch.where(uniform < p, -1.0, 1.0)
        return Hits(key, units.spread(margins) if margins.ndim > 0 else margins.expand(units.shape))


@dataclass(frozen=True)
class Blocks(Draw):
    """Contiguous blocks of `size` positions in each dimension of a map are hit as one (Ghiasi et al. 2018).

    Goes with a constant rate, which is the probability that a unit is hit, the same everywhere: a block's corner may
    lie outside the map, so that every unit, at a border too, is covered by size^d possible blocks of d dimensions.
    Each exists with probability 1 - (1 - p)^(1 / size^d). Element units have blocks of their own in each channel,
    position units the same blocks in all.
    """

    size: int
    uses_channels = True

    def __post_init__(self) -> None:
        validation.settle(self, size=validation.whole("size", self.size, 1))

    def __call__(self, rates: Rates, p: float | Tensor, units: View, key: Tensor | None) -> Hits:
        """The hits on `units`: all that a block covers."""
        if not units.units.by_position:
            raise TypeError(
                f"draw={self!r} needs element or position units and a constant rate, got {units.units} and {rates}"
            )
        dims = map_dims(units.x, units.channel_dim, "blocks")
        shape = list(units.shape)
        sides = [shape[dim] for dim in dims]
        if min(sides) < self.size:
            raise ValueError(
                f"block_size must be at most {min(sides)}, the shortest side of a map {tuple(sides)}, got {self.size}"
            )
        for dim in dims:
            shape[dim] += self.size - 1
        block = self.size ** len(dims)
        corner_rate: float | Tensor
        if isinstance(p, Tensor):  # a scheduled rate in a compiled graph
            corner_rate = -torch.expm1(torch.log1p(-p) / block)
        else:
            corner_rate = -math.expm1(math.log1p(-p) / block) if p < 1 else 1.0
        if key is None or isinstance(corner_rate, Tensor):
            corners = torch.rand(shape, dtype=torch.float32, device=units.x.device) < corner_rate
        else:
            corners = masks.seldom(key, corner_rate, tuple(shape))
        margins = torch.where(corners, -1.0, 1.0)
        for dim in dims:
            margins = _least_of_neighbours(margins, dim, self.size)
        return Hits(key, margins)

    def check(self, rates: Rates) -> None:
        """Raise `TypeError` for a rate that isn't constant."""
        if not rates.uniform or rates.drawn:
            raise TypeError(f"draw={self!r} needs a constant rate, got rates={rates!r}")


def _least_of_neighbours(values: Tensor, dim: int, size: int) -> Tensor:
    """The minimum over each window of `size` neighbours along a dimension, by windows of doubled size."""
    width = 1
    while width < size:
        step = min(width, size - width)
        length = values.shape[dim] - step
        values = torch.minimum(values.narrow(dim, 0, length), values.narrow(dim, step, length))
        width += step
    return values


def as_draw(draw: Draw | None, *rules: Rates | None) -> Draw:
    """The draw that a user asks for, independent by default; `TypeError` if it doesn't go with one of the rules."""
    if draw is None:
        return Bernoulli()
    if not isinstance(draw, Draw):
        raise TypeError(f"draw must be Bernoulli() or another of dropover's draws, got {draw!r}")
    for rule in rules:
        if rule is not None:
            draw.check(rule)
    return draw
