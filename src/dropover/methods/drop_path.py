"""DropPath, stochastic depth: a sample skips a residual branch (Huang et al. 2016)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Sample
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="DropPath (stochastic depth)",
    summary="Zeroes all that a residual branch says of a sample, so that the sample passes the block by its shortcut.",
    formula="Ŷ_n = 0 with probability p, else X_n / (1 - p), for each sample n",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources=(
        Source(
            "Huang, Sun, Liu, Sedra, Weinberger 2016: Deep networks with stochastic depth. ECCV",
            "https://arxiv.org/abs/1603.09382",
        ),
    ),
    settings_in_paper="p rises linearly with depth, from 0 at the input to 0.5 at the last block",
    caveats=(
        "It belongs at the end of a residual branch, before the sum. Where there is no shortcut beside it, a hit "
        "sample is lost altogether.",
        "The source drops a block for a whole mini-batch and multiplies by 1 - p at inference; here, as in timm's "
        "DropPath, each sample draws for itself and the survivors are rescaled in training.",
    ),
)


def drop_path(
    x: Tensor,
    p: float = 0.1,
    *,
    training: bool = True,
    rescale: str = "mean",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero each sample of `x` with probability `p`.

    Args:
        x: `(N, *)`.
        p: rate in [0, 1].
        training: False returns `x` itself.
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; see `Regularizer` for the others.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or `p` no number.
        ValueError: an input without dimensions, `p` outside [0, 1], or an unknown rescaling.

    Source: Huang et al. 2016, section 3.
    """
    rates = ConstantRate(p)
    return regularize(x, Sample(), rates if training else 0.0, Zero(), rescale=rescale, generator=generator)


class DropPath(Regularizer):
    """Zeroes each sample with probability `p`: the last layer of a residual branch.

    Args:
        p: rate in training, in [0, 1], or a schedule that `dropover.advance` moves along; so for `eval_p`.
        eval_p: rate at inference.
        rescale: "mean", "layer", "balanced" or "none"; see `Regularizer`.

    Shape: `(N, *)`; the output is like the input.

    Source: Huang et al. 2016, section 3.
    """

    p = Setting("rule", "p")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self, p: Rate = 0.1, eval_p: Rate = 0.0, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(
            Sample(),
            ConstantRate(p),
            Zero(),
            eval_rates=constant("eval_p", eval_p),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("drop-path", CARD, DropPath, kind="maps"))
