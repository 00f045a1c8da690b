"""Rates by a learned strength (Keshari et al. 2019)."""

import math

import torch
from torch import Tensor, nn

from dropover import validation
from dropover.parts.rates.base import Rates, share
from dropover.parts.units import View

__all__ = ["StrengthRates"]


class GivenStrength(Rates):
    """The rule of `StrengthRates` over a given tensor of strengths (num_units,), to which gradients flow."""

    modulates = True
    strength: Tensor

    def __init__(self, strength: Tensor, p: float, mode: str = "active") -> None:
        self._settle(p, mode)
        self.strength = strength

    def _settle(self, p: float, mode: str) -> None:
        self.p = validation.number("p", p, 0, 1)
        validation.choice("mode", mode, ("top", "active"))
        self.mode = mode

    @property
    def num_units(self) -> int:
        """Units of a sample."""
        return self.strength.numel()

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return (0.0, 1.0 if self.mode == "top" and self.p > 0 else self.p)

    @torch.no_grad()
    def __call__(self, units: View) -> Tensor:
        """(N, num_units): the rate of each unit, the same in every sample."""
        t = self.strength
        if self.mode == "top":
            strongest = torch.topk(t, share(self.p, self.num_units)).indices
            rate = torch.zeros_like(t).index_fill(0, strongest, 1.0)
        else:
            rate = torch.where(t >= (t.min() + t.max()) / 2, self.p, 0.0)
        return rate.expand(units.x.shape[0], -1)

    def modulate(self, units: View) -> Tensor:
        """The activations times their units' strengths."""
        x, number = units.x, math.prod(units.grid[1:])
        if number != self.num_units:
            raise ValueError(
                f"num_units must match the input's {number} units, got {self.num_units}; the input has shape "
                f"{tuple(x.shape)}, and channel_dim is {units.channel_dim}"
            )
        return x * units.spread(self.strength.expand(x.shape[0], -1)).to(x.dtype)


class StrengthRates(GivenStrength, nn.Module):
    """Rates by a learned strength t of each unit, which multiplies the unit and is trained (Keshari et al. 2019).

    Args:
        num_units: units of a sample.
        p: the rate, in [0, 1].
        mode: "top" hits the ceil(p · num_units) strongest units; "active" hits each unit of the upper half of a
            histogram of t, from its least to its greatest value, with probability p. The source leaves the border
            open; while all strengths are equal, all are active.
    """

    def __init__(self, num_units: int, p: float, mode: str = "active") -> None:
        nn.Module.__init__(self)
        number = validation.whole("num_units", num_units, 1)
        self._settle(p, mode)
        self.strength = nn.Parameter(torch.ones(number))

    def __repr__(self) -> str:
        return f"StrengthRates(num_units={self.num_units}, p={self.p}, mode={self.mode!r})"
