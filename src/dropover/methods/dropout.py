"""Dropout (Hinton et al. 2012; Srivastava et al. 2014)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Dropout",
    summary="Zeroes each activation with the same probability, so that no unit can rely on particular others.",
    formula="ŷ = 0 with probability p, else x / (1 - p)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources=(
        Source(
            "Hinton, Srivastava, Krizhevsky, Sutskever, Salakhutdinov 2012: Improving neural networks by preventing "
            "co-adaptation of feature detectors",
            "https://arxiv.org/abs/1207.0580",
        ),
        Source(
            "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014: Dropout: a simple way to prevent neural "
            "networks from overfitting. JMLR 15",
            "https://jmlr.org/papers/v15/srivastava14a.html",
        ),
        Source(
            "Wang et al. 2018: Defensive dropout for hardening deep neural networks under adversarial attacks "
            "(dropout kept on at inference)",
            "https://arxiv.org/abs/1809.05165",
        ),
    ),
    settings_in_paper="p = 0.5 in fully connected layers, 0.2 on inputs",
    caveats=(
        "On convolution maps neighbouring pixels stand in for each other, so single zeros remove little information.",
        "Before a batch normalisation it shifts the variance between training and inference (Li et al. 2019).",
        "With eval_p above 0 an attacker who averages the gradient over draws meets little resistance "
        "(Athalye, Carlini & Wagner 2018).",
    ),
)


def dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero each element of `x` with probability `p`.

    Args:
        x: any shape.
        p: rate in [0, 1].
        training: False returns `x` itself.
        rescale: "mean" divides the survivors by 1 - p as `torch.nn.functional.dropout`; "layer" is the same here;
            "none" leaves them.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or `p` no number.
        ValueError: `p` outside [0, 1], or an unknown rescaling.

    Source: Srivastava et al. 2014, section 4.
    """
    rates = ConstantRate(p)
    return regularize(x, Element(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class Dropout(Regularizer):
    """Zeroes each element with probability `p`; equal to `torch.nn.Dropout` in distribution.

    Args:
        p: rate in training, in [0, 1], or a schedule that `dropover.advance` moves along; so for `eval_p`.
        eval_p: rate at inference.
        rescale: "mean", "layer" or "none"; see `Regularizer`.

    Shape: any; the output is like the input.
    """

    p = Setting("rule", "p")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(
            Element(),
            ConstantRate(p),
            Zero(),
            eval_rates=constant("eval_p", eval_p),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("dropout", CARD, Dropout, kind="features"))
