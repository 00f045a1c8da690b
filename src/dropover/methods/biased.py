"""Biased dropout: two rates by magnitude (Poernomo & Kang 2018)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import MagnitudeRates
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Biased dropout",
    summary="Zeroes weak activations more often than strong ones, taking strong ones to matter more.",
    formula="ŷ = 0 with probability p, else x / (1 - p); p = p_high where |x| > the sample's mean |x|, else p_low",
    acts="in training",
    sources={
        "Poernomo & Kang 2018: Biased dropout and crossmap dropout: learning towards effective dropout regularization "
        "in convolutional neural network. Neural Networks 104": "https://doi.org/10.1016/j.neunet.2018.03.016",
    },
    settings_in_paper="two rates, the smaller one for the group of strong activations",
    caveats=(
        "The source gives two groups and two rates; the border between them, the sample's mean |x|, is our reading.",
        "After a ReLU many activations are exactly 0: they are the weak group, and dropping them changes nothing.",
    ),
    ranges={"p_high": Range(0.05, 0.5), "p_low": Range(0.2, 0.9)},
)


def biased_dropout(
    x: Tensor,
    p_high: float = 0.25,
    p_low: float = 0.75,
    *,
    quantile: float | None = None,
    training: bool = True,
    rescale: str = "mean",
    generator: Generator | None = None,
) -> Tensor:
    """Zero strong elements with probability `p_high` and the others with probability `p_low`.

    Args:
        x: any shape; dimension 0 holds the samples.
        p_high: rate of elements whose |x| is above their sample's mean |x|, in [0, 1].
        p_low: rate of the rest, in [0, 1].
        quantile: put the border at this quantile of |x| instead of the mean.
        rescale: "mean" divides each survivor by 1 - its rate, "layer" by the sample's mean of that; "none" leaves it.

    Source: Poernomo & Kang 2018.
    """
    rates = MagnitudeRates(p_high, p_low, quantile)
    return regularize(x, Element(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class BiasedDropout(Regularizer):
    """See `biased_dropout`."""

    p_high = Setting("rule", "p_high")
    p_low = Setting("rule", "p_low")
    quantile = Setting("rule", "quantile")

    def __init__(
        self, p_high: float = 0.25, p_low: float = 0.75, quantile: float | None = None, *, rescale: str = "mean"
    ) -> None:
        super().__init__(Element(), MagnitudeRates(p_high, p_low, quantile), Zero(), rescale=rescale)


METHODS.add(Method("biased", biased_dropout, BiasedDropout, "features", CARD))
