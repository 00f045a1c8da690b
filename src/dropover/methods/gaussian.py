"""Gaussian dropout: multiplicative noise (Srivastava et al. 2014)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Noise
from dropover.parts.rates import constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Gaussian dropout",
    summary="Multiplies every activation by a normal number around 1: dropout's noise without its zeros.",
    formula="ŷ = x · (1 + std · ξ), ξ ~ N(0, 1)",
    acts="in training; at inference on the share eval_p of the activations, 0 by default",
    sources={
        "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014: Dropout: a simple way to prevent neural "
        "networks from overfitting. JMLR 15, section 10": "https://jmlr.org/papers/v15/srivastava14a.html",
    },
    settings_in_paper="variance std² = p / (1 - p), the variance of dropout at rate p: std = 1 for p = 0.5",
    caveats=("A factor below 0 flips the unit: at std = 1 that happens to 16 % of them.",),
    ranges={"std": Range(0.1, 1.5, log=True)},
)


def gaussian_dropout(
    x: Tensor, std: float = 0.5, *, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Multiply each element of `x` by its own draw from N(1, `std`²).

    Args:
        x: any shape.
        std: standard deviation of the factor, at least 0.

    Source: Srivastava et al. 2014, section 10.
    """
    return regularize(x, Element(), 1.0 if training else 0.0, Noise(std), generator=generator)


class GaussianDropout(Regularizer):
    """See `gaussian_dropout`.

    Args:
        std: standard deviation of the factor, at least 0.
        eval_p: share of the elements that get noise at inference, or a schedule that `dropover.advance` moves along.
        rescale: all but "balanced" are the same here: the factor's expectation is 1.
    """

    std = Setting("effect", "std")
    eval_p = Setting("eval_rule", "p")

    def __init__(self, std: float = 0.5, eval_p: Rate = 0.0, *, rescale: str = "none") -> None:
        super().__init__(Element(), 1.0, Noise(std), eval_rates=constant("eval_p", eval_p), rescale=rescale)


METHODS.add(Method("gaussian", gaussian_dropout, GaussianDropout, "features", CARD))
