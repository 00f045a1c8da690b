"""DropBlock: contiguous blocks of a map (Ghiasi et al. 2018)."""

import torch
from torch import Tensor

from dropover import validation
from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.parts.draws import Blocks
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="DropBlock",
    summary="Zeroes contiguous squares of a feature map, since the neighbours of a single zero would tell what it hid.",
    formula="each b × b block is zeroed with probability 1 - (1 - p)^(1 / b²), blocks across the border included; "
    "ŷ = 0 where a block lies, which has probability p, else x / (1 - p)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources=(
        Source(
            "Ghiasi, Lin, Le 2018: DropBlock: a regularization method for convolutional networks. NeurIPS",
            "https://arxiv.org/abs/1810.12890",
        ),
    ),
    settings_in_paper="block size 7, p raised linearly during training from 0 to 0.1, on the last two groups of "
    "ResNet-50's convolutions",
    caveats=(
        "p is the true probability of every element to be hit. The source keeps blocks inside the map, and its "
        "formula ignores that blocks overlap: it hits less at borders than in the middle, and on small maps its rate "
        "is not the one that was set.",
        "The survivors are divided by 1 - p. The source divides by the share that did survive, which couples a batch's "
        "samples.",
        "With large blocks on small maps most maps are hit wholly or not at all: the variance is that of spatial "
        "dropout.",
    ),
)


def drop_block(
    x: Tensor,
    p: float = 0.1,
    block_size: int = 7,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero blocks of `x`, so that each element is hit with probability `p`.

    Args:
        x: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`.
        p: probability of each element to be hit, in [0, 1].
        block_size: side of a block, from 1 (dropout) to the shortest side of the map.
        training: False returns `x` itself.
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; see `Regularizer` for the others.
        channel_dim: the dimension of the channels, each of which has blocks of its own: -1 for tokens `(N, T, C)`.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`.

    Raises:
        TypeError: `x` is not of a real floating dtype, or a setting of the wrong kind.
        ValueError: an input without maps, a block larger than the map, or a setting outside its range.

    Source: Ghiasi et al. 2018, algorithm 1; the seed rate is our own, see the card.
    """
    rates, draw = ConstantRate(p), Blocks(validation.whole("block_size", block_size, 1))
    return regularize(
        x,
        Element(),
        rates if training else 0.0,
        Zero(),
        draw=draw,
        rescale=rescale,
        channel_dim=channel_dim,
        generator=generator,
    )


class DropBlock(Regularizer):
    """Zeroes contiguous blocks of each map, so that each element is hit with probability `p`.

    Args:
        p: probability of each element to be hit in training, in [0, 1], or a schedule that `dropover.advance` moves
            along; so for `eval_p`.
        block_size: side of a block, from 1 to the shortest side of the map.
        eval_p: the same as `p`, at inference.
        rescale: "mean", "layer", "balanced" or "none"; see `Regularizer`.
        channel_dim: the dimension of the channels: 1 unless you say so or `insert` finds another, such as -1 for tokens
            `(N, T, C)`.

    Shape: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`; the output is like the input.

    Source: Ghiasi et al. 2018, algorithm 1; the seed rate is our own, see `draws.Blocks`.
    """

    p = Setting("rule", "p")
    block_size = Setting("draw", "size")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self,
        p: Rate = 0.1,
        block_size: int = 7,
        eval_p: Rate = 0.0,
        *,
        rescale: str = "mean",
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(
            Element(),
            ConstantRate(p),
            Zero(),
            eval_rates=constant("eval_p", eval_p),
            draw=Blocks(validation.whole("block_size", block_size, 1)),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("drop-block", CARD, DropBlock, kind="maps"))
