"""Gaussian dropout: multiplicative noise (Srivastava et al. 2014)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
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
    sources=(
        Source(
            "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014: Dropout: a simple way to prevent neural "
            "networks from overfitting. JMLR 15, section 10",
            "https://jmlr.org/papers/v15/srivastava14a.html",
        ),
    ),
    settings_in_paper="variance std² = p / (1 - p), the variance of dropout at rate p: std = 1 for p = 0.5",
    caveats=("A factor below 0 flips the unit: at std = 1 that happens to 16 % of them.",),
)


def gaussian_dropout(
    x: Tensor,
    std: float = 0.5,
    *,
    training: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Multiply each element of `x` by its own draw from N(1, `std`²).

    Args:
        x: any shape.
        std: standard deviation of the factor, at least 0.
        training: False returns `x` itself.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or `std` no number.
        ValueError: a negative or infinite `std`.

    Source: Srivastava et al. 2014, section 10.
    """
    return regularize(x, Element(), 1.0 if training else 0.0, Noise(std), generator=generator)


class GaussianDropout(Regularizer):
    """Multiplies each element by its own draw from N(1, `std`²).

    Args:
        std: standard deviation of the factor, at least 0.
        eval_p: share of the elements that get noise at inference, or a schedule that `dropover.advance` moves along.
        rescale: "none", "mean" and "layer" are the same here: the factor's expectation is 1.

    Shape: any; the output is like the input.

    Source: Srivastava et al. 2014, section 10.
    """

    std = Setting("effect", "std")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self, std: float = 0.5, eval_p: Rate = 0.0, *, rescale: str = "none", channel_dim: int | None = None
    ) -> None:
        super().__init__(
            Element(),
            1.0,
            Noise(std),
            eval_rates=constant("eval_p", eval_p),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("gaussian", CARD, GaussianDropout, kind="features"))
