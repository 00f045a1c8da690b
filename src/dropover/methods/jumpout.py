"""Jumpout: a random rate, adapted to how many units are active (Wang, Zhou & Bilmes 2019)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import JumpRate
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Jumpout",
    summary="Dropout for ReLUs: draws its rate anew for every call, mostly a small one, raises it where many units "
    "are 0 anyway, and rescales for a batch normalisation.",
    formula="p = min(p_min + |N(0, sigma²)|, p_max) / share of active units; ŷ = 0 with probability p, else "
    "x / (1 - p)^0.75",
    acts="in training",
    sources={
        "Wang, Zhou, Bilmes 2019: Jumpout: "
        "improved dropout for deep neural networks with ReLUs. ICML, PMLR 97": "https://proceedings.mlr.press/v97/wang19q.html",
    },
    settings_in_paper="exponent 0.75; p_min, p_max and sigma are not stated in the abstract at hand: the defaults are "
    "ours",
    caveats=(
        "The share of active units is that of the whole batch, as in the source: what one sample is given depends on "
        "the others.",
        "Active means not 0. After an activation that is seldom exactly 0, such as GELU, the division does nothing.",
        "The exponent 0.75 (rescale='balanced') keeps neither the mean nor the second moment, but both nearly.",
    ),
    ranges={"p_max": Range(0.1, 0.7), "sigma": Range(0.02, 0.3, log=True)},
)


def jumpout(
    x: Tensor,
    p_min: float = 0.01,
    p_max: float = 0.6,
    sigma: float = 0.1,
    *,
    training: bool = True,
    rescale: str = "balanced",
    generator: Generator | None = None,
) -> Tensor:
    """Zero each element of `x` with a probability that is drawn once per call.

    Args:
        x: any shape; meant for the output of a ReLU.
        p_min: the most likely rate, in [0, 1].
        p_max: the greatest rate, in [p_min, 1]; both before the division by the share of elements that are not 0.
        sigma: standard deviation of the normal number whose magnitude is added to `p_min`, at least 0.
        rescale: "balanced", as the source; the others are those of `Regularizer`, each by the rate of the call.

    Source: Wang, Zhou & Bilmes 2019.
    """
    rates = JumpRate(p_min, p_max, sigma)
    return regularize(x, Element(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class Jumpout(Regularizer):
    """See `jumpout`; `rates` gives the expectation of the probability."""

    p_min = Setting("rule", "p_min")
    p_max = Setting("rule", "p_max")
    sigma = Setting("rule", "sigma")

    def __init__(
        self, p_min: float = 0.01, p_max: float = 0.6, sigma: float = 0.1, *, rescale: str = "balanced"
    ) -> None:
        super().__init__(Element(), JumpRate(p_min, p_max, sigma), Zero(), rescale=rescale)


METHODS.add(Method("jumpout", jumpout, Jumpout, "features", CARD))
