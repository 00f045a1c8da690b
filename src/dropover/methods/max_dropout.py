"""MaxDropout: the largest activations (dos Santos et al. 2021)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.draws import Shared
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate, MaximumRates
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="MaxDropout",
    summary="Zeroes the activations that come closest to their sample's largest one, so that weaker ones have to "
    "learn.",
    formula="r ~ U(0, p), once per call; ŷ = 0 where |x| / max |x| > 1 - r, else x",
    acts="in training",
    sources=(
        Source(
            "dos Santos, Colombo, Roder, Papa 2021: MaxDropout: deep neural network regularization based on maximum "
            "output values. ICPR 2020",
            "https://arxiv.org/abs/2007.13723",
        ),
    ),
    settings_in_paper="p = 0.3 in the authors' code; in ResNet-18 and a wide ResNet, on CIFAR-10 and CIFAR-100",
    caveats=(
        "p is no share of the units: how many come close to the largest one depends on how the activations are "
        "spread. A sample's largest unit is always hit.",
        "The maximum is that of |x| in each sample. The authors' code maps the least and the greatest value of the "
        "whole batch to 0 and 1 instead, and keeps r at p.",
        "One number per call: all samples of a batch are hit as hard or as lightly.",
    ),
)


def max_dropout(
    x: Tensor,
    p: float = 0.3,
    *,
    training: bool = True,
    rescale: str = "none",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero the elements of `x` within a random reach, up to `p`, of their sample's largest magnitude.

    Args:
        x: any shape; dimension 0 holds the samples.
        p: the greatest reach, as a share of the largest magnitude, in [0, 1].
        training: False returns `x` itself.
        rescale: "none", as the source; the others are those of `Regularizer`.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or `p` no number.
        ValueError: `p` outside [0, 1], or an unknown rescaling.

    Source: dos Santos et al. 2021.
    """
    rates = MaximumRates(p) if training else ConstantRate(0.0)
    return regularize(x, Element(), rates, Zero(), draw=Shared(), rescale=rescale, generator=generator)


class MaxDropout(Regularizer):
    """Zeroes the elements within a random reach, up to `p`, of their sample's largest magnitude.

    Args:
        p: the greatest reach, as a share of the largest magnitude, in [0, 1].
        rescale: "none", "mean", "layer" or "balanced"; see `Regularizer`.

    Shape: any; dimension 0 holds the samples; the output is like the input.

    Source: dos Santos et al. 2021.
    """

    p = Setting("rule", "p")

    def __init__(self, p: float = 0.3, *, rescale: str = "none", channel_dim: int | None = None) -> None:
        super().__init__(Element(), MaximumRates(p), Zero(), draw=Shared(), rescale=rescale, channel_dim=channel_dim)


METHODS.add(Method("max-dropout", CARD, MaxDropout, kind="maps"))
