"""DropBlock: contiguous blocks of a map (Ghiasi et al. 2018)."""

from torch import Generator, Tensor

from dropover import validation
from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.draws import Blocks
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Element
from dropover.regularizer import Setting, regularize

CARD = Card(
    title="DropBlock",
    summary="Zeroes contiguous squares of a feature map, since the neighbours of a single zero would tell what it hid.",
    formula="each b × b block is zeroed with probability 1 - (1 - p)^(1 / b²), blocks across the border included; "
    "ŷ = 0 where a block lies, which has probability p, else x / (1 - p)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Ghiasi, Lin, Le 2018: DropBlock: "
        "a regularization method for convolutional networks. NeurIPS": "https://arxiv.org/abs/1810.12890",
    },
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
    ranges={"p": Range(0.02, 0.3), "block_size": (3, 5, 7)},
)


def drop_block(
    x: Tensor,
    p: float = 0.1,
    block_size: int = 7,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Zero blocks of `x`, so that each element is hit with probability `p`.

    Args:
        x: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`.
        p: probability of each element to be hit, in [0, 1].
        block_size: side of a block, from 1 (dropout) to the shortest side of the map; more is a `ValueError`.
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; see `Regularizer` for the others.
        channel_dim: the dimension of the channels, each of which has blocks of its own.

    Source: Ghiasi et al. 2018, algorithm 1; the seed rate is our own, see the card.
    """
    rates, draw = ConstantRate(p), _blocks(block_size)
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


class DropBlock(ConstantRegularizer):
    """See `drop_block`, and `ConstantRegularizer` for `eval_p`."""

    block_size = Setting("draw", "size")

    def __init__(
        self,
        p: Rate = 0.1,
        block_size: int = 7,
        eval_p: Rate = 0.0,
        *,
        rescale: str = "mean",
        channel_dim: int | None = None,
    ) -> None:
        draw = _blocks(block_size)
        super().__init__(Element(), p, Zero(), eval_p, draw=draw, rescale=rescale, channel_dim=channel_dim)


def _blocks(block_size: int) -> Blocks:
    return Blocks(validation.whole("block_size", block_size, 1))


METHODS.add(Method("drop-block", drop_block, DropBlock, "maps", CARD))
