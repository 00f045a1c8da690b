"""Dropout (Hinton et al. 2012; Srivastava et al. 2014)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import regularize

CARD = Card(
    title="Dropout",
    summary="Zeroes each activation with the same probability, so that no unit can rely on particular others.",
    formula="ŷ = 0 with probability p, else x / (1 - p)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Hinton, Srivastava, Krizhevsky, Sutskever, Salakhutdinov 2012: Improving neural networks by preventing "
        "co-adaptation of feature detectors": "https://arxiv.org/abs/1207.0580",
        "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014: Dropout: a simple way to prevent neural "
        "networks from overfitting. JMLR 15": "https://jmlr.org/papers/v15/srivastava14a.html",
        "Wang et al. 2018: Defensive dropout for hardening deep neural networks under adversarial attacks (dropout "
        "kept on at inference)": "https://arxiv.org/abs/1809.05165",
    },
    settings_in_paper="p = 0.5 in fully connected layers, 0.2 on inputs",
    caveats=(
        "On convolution maps neighbouring pixels stand in for each other, so single zeros remove little information.",
        "Before a batch normalisation it shifts the variance between training and inference (Li et al. 2019).",
        "With eval_p above 0 an attacker who averages the gradient over draws meets little resistance "
        "(Athalye, Carlini & Wagner 2018).",
    ),
    ranges={"p": Range(0.05, 0.7)},
)


def dropout(
    x: Tensor, p: float = 0.5, *, training: bool = True, rescale: str = "mean", generator: Generator | None = None
) -> Tensor:
    """Zero each element of `x` with probability `p`.

    Args:
        x: any shape.
        p: rate in [0, 1].
        rescale: "mean" divides the survivors by 1 - p as `torch.nn.functional.dropout`; "layer" is the same here;
            "none" leaves them.

    Source: Srivastava et al. 2014, section 4.
    """
    rates = ConstantRate(p)
    return regularize(x, Element(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class Dropout(ConstantRegularizer):
    """See `dropout`, and `ConstantRegularizer` for `eval_p`; equal to `torch.nn.Dropout` in distribution."""

    def __init__(self, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean") -> None:
        super().__init__(Element(), p, Zero(), eval_p, rescale=rescale)


METHODS.add(Method("dropout", dropout, Dropout, "features", CARD))
