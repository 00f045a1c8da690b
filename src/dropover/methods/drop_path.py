"""DropPath, stochastic depth: a sample skips a residual branch (Huang et al. 2016)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Sample
from dropover.regularizer import regularize

CARD = Card(
    title="DropPath (stochastic depth)",
    summary="Zeroes all that a residual branch says of a sample, so that the sample passes the block by its shortcut.",
    formula="Ŷ_n = 0 with probability p, else X_n / (1 - p), for each sample n",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Huang, Sun, Liu, Sedra, Weinberger 2016: "
        "Deep networks with stochastic depth. ECCV": "https://arxiv.org/abs/1603.09382",
    },
    settings_in_paper="p rises linearly with depth, from 0 at the input to 0.5 at the last block",
    caveats=(
        "It belongs at the end of a residual branch, before the sum. Where there is no shortcut beside it, a hit "
        "sample is lost altogether.",
        "The source drops a block for a whole mini-batch and multiplies by 1 - p at inference; here, as in timm's "
        "DropPath, each sample draws for itself and the survivors are rescaled in training.",
    ),
    ranges={"p": Range(0.02, 0.5)},
)


def drop_path(
    x: Tensor, p: float = 0.1, *, training: bool = True, rescale: str = "mean", generator: Generator | None = None
) -> Tensor:
    """Zero each sample of `x` with probability `p`.

    Args:
        x: `(N, *)`.
        p: rate in [0, 1].
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; see `Regularizer` for the others.

    Source: Huang et al. 2016, section 3.
    """
    rates = ConstantRate(p)
    return regularize(x, Sample(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class DropPath(ConstantRegularizer):
    """See `drop_path`, and `ConstantRegularizer` for `eval_p`: the last layer of a residual branch."""

    def __init__(self, p: Rate = 0.1, eval_p: Rate = 0.0, *, rescale: str = "mean") -> None:
        super().__init__(Sample(), p, Zero(), eval_p, rescale=rescale)


METHODS.add(Method("drop-path", drop_path, DropPath, "maps", CARD))
