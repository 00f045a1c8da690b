"""The scales on which values are judged, and the way back to the values' own units."""

from typing import Literal

import numpy as np
from scipy import special

from dropover.lab.judging.model import Floats

ScaleName = Literal["share", "loss", "plain"]
SHIFT = 0.005
"""Shares are moved by half a point off 0 and 1, where a logit has no end."""


class Plain:
    """Values as they are, in units of the largest: what is rounding is told by its size."""

    def __init__(self, unit: float = 1.0) -> None:
        self.unit = unit

    def judged(self, values: Floats) -> Floats:
        """Values on the scale of the verdict."""
        return values / self.unit

    def back(self, judged: Floats) -> Floats:
        """And back to their own units."""
        return judged * self.unit

    def difference(self, base: float, judged: float) -> float:
        """A difference from a base (both as judged) in the values' own units, at that base."""
        there, here = self.back(np.array([base + judged, base]))
        return float(there - here)


class Shares(Plain):
    """The logit of a share that was moved off 0 and 1: near them a share's spread shrinks, and its logit's doesn't."""

    def judged(self, values: Floats) -> Floats:
        """Values on the scale of the verdict."""
        scaled: Floats = special.logit((values + SHIFT) / (1 + 2 * SHIFT))
        return scaled

    def back(self, judged: Floats) -> Floats:
        """And back to their own units, not beyond 0 and 1."""
        shares: Floats = np.clip((1 + 2 * SHIFT) * special.expit(judged) - SHIFT, 0.0, 1.0)
        return shares


class Losses(Plain):
    """The logarithm: a loss spreads in proportion to its size."""

    def judged(self, values: Floats) -> Floats:
        """Values on the scale of the verdict."""
        scaled: Floats = np.log(values)
        return scaled

    def back(self, judged: Floats) -> Floats:
        """And back to their own units."""
        losses: Floats = np.exp(np.minimum(judged, 700.0))
        return losses


def scale_of(name: ScaleName, values: Floats) -> Plain:
    """The scale of that name; a loss that is not above 0 throughout stays as it is.

    Raises:
        ValueError: A share is not between 0 and 1.
    """
    there = values[np.isfinite(values)]
    if name == "share":
        if there.size and (there.min() < 0 or there.max() > 1):
            raise ValueError(f"shares are between 0 and 1, got {there.min():g} to {there.max():g}")
        return Shares()
    unit = float(np.abs(there).max(initial=0.0)) or 1.0
    return Losses(unit) if name == "loss" and there.size and there.min() > 0 else Plain(unit)
