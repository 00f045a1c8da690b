"""Spatial dropout: whole feature maps (Tompson et al. 2015)."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Spatial dropout",
    summary="Zeroes whole feature maps, since neighbouring pixels of one map carry the same information.",
    formula="Ŷ_c = 0 with probability p, else X_c / (1 - p), for each channel c",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources=(
        Source(
            "Tompson, Goroshin, Jain, LeCun, Bregler 2015: Efficient object localization using convolutional networks",
            "https://arxiv.org/abs/1411.4280",
        ),
    ),
    settings_in_paper="p = 0.5 before the first 1×1 convolution of a pose network",
    caveats=("Few channels make its effect coarse: with C channels the share that is hit varies by √(p(1 - p)/C).",),
)


def spatial_dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zeroes whole feature maps, since neighbouring pixels of one map carry the same information.

    Args:
        x: `(N, C)` or `(N, C, *)`.
        p: rate in [0, 1].
        training: False returns `x` itself.
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; "none" leaves them.
        channel_dim: the dimension of the channels: -1 for tokens `(N, T, C)`.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or `p` no number.
        ValueError: a shape without the units, `p` outside [0, 1], or an unknown rescaling.

    Source: Tompson et al. 2015, section 3.2.
    """
    rates = ConstantRate(p)
    return regularize(
        x,
        Channel(),
        rates if training else 0.0,
        Zero(),
        rescale=rescale,
        channel_dim=channel_dim,
        generator=generator,
    )


class SpatialDropout(Regularizer):
    """Zeroes whole feature maps, since neighbouring pixels of one map carry the same information.

    Args:
        p: rate in training, in [0, 1], or a schedule that `dropover.advance` moves along; so for `eval_p`.
        eval_p: rate at inference.
        rescale: "mean", "layer" or "none"; see `Regularizer`.
        channel_dim: the dimension of the channels: 1 unless you say so or `insert` finds another, such as -1 for tokens
            `(N, T, C)`.

    Shape: `(N, C)` or `(N, C, *)`; the output is like the input.

    Source: Tompson et al. 2015, section 3.2.
    """

    p = Setting("rule", "p")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(
            Channel(),
            ConstantRate(p),
            Zero(),
            eval_rates=constant("eval_p", eval_p),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("spatial", CARD, SpatialDropout, kind="maps"))
