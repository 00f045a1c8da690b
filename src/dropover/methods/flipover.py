"""Flipover: random units change their sign (Liang et al. 2024)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.effects import Flip
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Setting, regularize

CARD = Card(
    title="Flipover",
    summary="Multiplies random activations by a negative number instead of zeroing them: a stronger penalty than "
    "dropout at the same rate.",
    formula="ŷ = -amplitude · x with probability p, else x",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Liang, Niu, Yan, Wang 2024: Flipover outperforms dropout in deep learning. Visual Computing for Industry, "
        "Biomedicine, and Art 7:4": "https://doi.org/10.1186/s42492-024-00153-y",
    },
    settings_in_paper="p = 0.2 (best clean accuracy) to 0.3 (best under attack); amplitude 1 on a small CNN, 0.5 on "
    "ResNet-18",
    caveats=(
        "The article prints the factor as (-1/α)^r; only -α fits its own statements on α, so amplitude is that α.",
        "The article prints the penalty at amplitude 1 as 2p(1 - p); its own derivation gives 4p(1 - p).",
        "Its robustness figures come from FGSM alone, on models trained with unscaled activations: check them with a "
        "margin loss.",
        "A rate near 1/(1 + amplitude) leaves a unit no expectation at all.",
    ),
    ranges={"p": Range(0.05, 0.45), "amplitude": Range(0.25, 1.0)},
)


def flipover(
    x: Tensor,
    p: float = 0.3,
    amplitude: float = 1.0,
    *,
    training: bool = True,
    rescale: str = "none",
    generator: Generator | None = None,
) -> Tensor:
    """Multiply each element of `x` by -`amplitude` with probability `p`.

    Args:
        x: any shape.
        p: rate in [0, 1].
        amplitude: at least 0; 0 is dropout without rescaling.
        rescale: "none" as the article; "mean" divides by 1 - p(1 + amplitude), the factor's expectation.

    Source: Liang et al. 2024, equation 3, with -amplitude for (-1/α).
    """
    rates = ConstantRate(p)
    return regularize(x, Element(), rates if training else 0.0, Flip(amplitude), rescale=rescale, generator=generator)


class Flipover(ConstantRegularizer):
    """See `flipover`, and `ConstantRegularizer` for `eval_p`."""

    amplitude = Setting("effect", "amplitude")

    def __init__(self, p: Rate = 0.3, amplitude: float = 1.0, eval_p: Rate = 0.0, *, rescale: str = "none") -> None:
        super().__init__(Element(), p, Flip(amplitude), eval_p, rescale=rescale)


METHODS.add(Method("flipover", flipover, Flipover, "features", CARD))
