"""MaxDropout: the largest activations (dos Santos et al. 2021)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.draws import Shared
from dropover.parts.effects import Zero
from dropover.parts.rates import MaximumRates
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="MaxDropout",
    summary="Zeroes the activations that come closest to their sample's largest one, so that weaker ones have to "
    "learn.",
    formula="r ~ U(0, p), once per call; ŷ = 0 where |x| / max |x| > 1 - r, else x",
    acts="in training",
    sources={
        "dos Santos, Colombo, Roder, Papa 2021: MaxDropout: deep neural network regularization based on maximum output "
        "values. ICPR 2020": "https://arxiv.org/abs/2007.13723",
    },
    settings_in_paper="p = 0.3 in the authors' code; in ResNet-18 and a wide ResNet, on CIFAR-10 and CIFAR-100",
    caveats=(
        "p is no share of the units: how many come close to the largest one depends on how the activations are "
        "spread. A sample's largest unit is always hit.",
        "The maximum is that of |x| in each sample. The authors' code maps the least and the greatest value of the "
        "whole batch to 0 and 1 instead, and keeps r at p.",
        "One number per call: all samples of a batch are hit as hard or as lightly.",
    ),
    ranges={"p": Range(0.05, 0.5)},
)


def max_dropout(
    x: Tensor, p: float = 0.3, *, training: bool = True, rescale: str = "none", generator: Generator | None = None
) -> Tensor:
    """Zero the elements of `x` within a random reach, up to `p`, of their sample's largest magnitude.

    Args:
        x: any shape; dimension 0 holds the samples.
        p: the greatest reach, as a share of the largest magnitude, in [0, 1].
        rescale: "none", as the source; the others are those of `Regularizer`.

    Source: dos Santos et al. 2021.
    """
    rates = MaximumRates(p)
    return regularize(
        x, Element(), rates if training else 0.0, Zero(), draw=Shared(), rescale=rescale, generator=generator
    )


class MaxDropout(Regularizer):
    """See `max_dropout`."""

    p = Setting("rule", "p")

    def __init__(self, p: float = 0.3, *, rescale: str = "none") -> None:
        super().__init__(Element(), MaximumRates(p), Zero(), draw=Shared(), rescale=rescale)


METHODS.add(Method("max-dropout", max_dropout, MaxDropout, "maps", CARD))
