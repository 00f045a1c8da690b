"""Flipover: random units change their sign (Liang et al. 2024)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.effects import Flip
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Flipover",
    summary="Multiplies random activations by a negative number instead of zeroing them: a stronger penalty than "
    "dropout at the same rate.",
    formula="ŷ = -amplitude · x with probability p, else x",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources=(
        Source(
            "Liang, Niu, Yan, Wang 2024: Flipover outperforms dropout in deep learning. Visual Computing for "
            "Industry, Biomedicine, and Art 7:4",
            "https://doi.org/10.1186/s42492-024-00153-y",
        ),
    ),
    settings_in_paper="p = 0.2 (best clean accuracy) to 0.3 (best under attack); amplitude 1 on a small CNN, 0.5 on "
    "ResNet-18",
    caveats=(
        "The article prints the factor as (-1/α)^r; only -α fits its own statements on α, so amplitude is that α.",
        "The article prints the penalty at amplitude 1 as 2p(1 - p); its own derivation gives 4p(1 - p).",
        "Its robustness figures come from FGSM alone, on models trained with unscaled activations: check them with a "
        "margin loss.",
        "A rate near 1/(1 + amplitude) leaves a unit no expectation at all.",
    ),
)


def flipover(
    x: Tensor,
    p: float = 0.3,
    amplitude: float = 1.0,
    *,
    training: bool = True,
    rescale: str = "none",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Multiply each element of `x` by -`amplitude` with probability `p`.

    Args:
        x: any shape.
        p: rate in [0, 1].
        amplitude: at least 0; 0 is dropout without rescaling.
        training: False returns `x` itself.
        rescale: "none" as the article; "mean" divides by 1 - p(1 + amplitude), the factor's expectation.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or a setting no number.
        ValueError: `p` outside [0, 1], a negative amplitude, or a rescaling by 0.

    Source: Liang et al. 2024, equation 3, with -amplitude for (-1/α).
    """
    rates = ConstantRate(p)
    return regularize(x, Element(), rates if training else 0.0, Flip(amplitude), rescale=rescale, generator=generator)


class Flipover(Regularizer):
    """Multiplies each element by -`amplitude` with probability `p`.

    Args:
        p: rate in training, in [0, 1], or a schedule that `dropover.advance` moves along; so for `eval_p`.
        amplitude: at least 0; 0 is dropout without rescaling.
        eval_p: rate at inference.
        rescale: "none" (as the article), "mean" or "layer"; see `Regularizer`.

    Shape: any; the output is like the input.

    Source: Liang et al. 2024, equation 3.
    """

    p = Setting("rule", "p")
    amplitude = Setting("effect", "amplitude")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self,
        p: Rate = 0.3,
        amplitude: float = 1.0,
        eval_p: Rate = 0.0,
        *,
        rescale: str = "none",
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(
            Element(),
            ConstantRate(p),
            Flip(amplitude),
            eval_rates=constant("eval_p", eval_p),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("flipover", CARD, Flipover, kind="features"))
