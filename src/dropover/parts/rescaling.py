"""What the survivors are multiplied by, so that a unit's training-time mean does or does not fall.

"none": nothing, as both papers. "mean": each unit is divided by its factor's expectation, so that its mean stays what
it is at inference, as `torch.nn.Dropout`. "layer": all of a sample's units are divided by the average expectation,
so that the layer's mean stays while a unit's own does not. "balanced": each unit is divided by its factor's
expectation to the power 3/4, between what keeps its mean (1) and what keeps its second moment (1/2), which a batch
normalisation behind it estimates (Wang, Zhou & Bilmes 2019).
"""

from typing import TypeVar

import torch
from torch import Tensor

from dropover import validation
from dropover.parts.effects import Effect
from dropover.parts.rates.base import Rates
from dropover.parts.units import View

Number = TypeVar("Number", float, Tensor)

RESCALINGS = ("none", "mean", "layer", "balanced")


def check(rescale: str, rates: Rates, effect: Effect) -> None:
    """Raise `ValueError` for an unknown rescaling, or one that would divide a surviving value by 0."""
    validation.choice("rescale", rescale, RESCALINGS)
    if rescale == "none" or effect.mean >= 0:
        return  # a factor of expectation 0 then means that every unit is zeroed, and 0 needs no scale
    vanishing = 1 / (1 - effect.mean)
    low, high = rates.bounds
    if low <= vanishing <= high:
        raise ValueError(
            f"rescale={rescale!r} divides by the factor's expectation, 1 - p(1 + amplitude), which is 0 at "
            f"p = {vanishing:g}; allowed are rates that stay clear of it, or rescale='none'"
        )


def scale(rescale: str, p: float | Tensor, effect: Effect, units: View) -> float | Tensor:
    """The factor for every unit: a number, or a tensor to be broadcast over the input."""
    if rescale == "none":
        return 1.0
    expectation = 1 - p * (1 - effect.mean)
    if not isinstance(expectation, Tensor):
        return _inverse(expectation, rescale) if expectation != 0 else 1.0
    if rescale == "layer" and expectation.ndim > 0:
        expectation = expectation.mean(dim=1, keepdim=True).expand_as(expectation)
    factor = torch.where(expectation != 0, _inverse(expectation, rescale), 1)
    return units.spread(factor) if factor.ndim > 0 else factor.reshape([1] * units.x.ndim)


def _inverse(expectation: Number, rescale: str) -> Number:
    # A flip's expectation may be negative: its sign stays with the first factor.
    return 1 / expectation * (abs(expectation) ** 0.25 if rescale == "balanced" else 1)
