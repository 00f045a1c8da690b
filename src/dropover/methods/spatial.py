"""Spatial dropout: whole feature maps (Tompson et al. 2015)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Channel
from dropover.regularizer import regularize

CARD = Card(
    title="Spatial dropout",
    summary="Zeroes whole feature maps, since neighbouring pixels of one map carry the same information.",
    formula="Ŷ_c = 0 with probability p, else X_c / (1 - p), for each channel c",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Tompson, Goroshin, Jain, LeCun, Bregler 2015: Efficient object localization using convolutional "
        "networks": "https://arxiv.org/abs/1411.4280",
    },
    settings_in_paper="p = 0.5 before the first 1×1 convolution of a pose network",
    caveats=("Few channels make its effect coarse: with C channels the share that is hit varies by √(p(1 - p)/C).",),
    ranges={"p": Range(0.02, 0.5)},
)


def spatial_dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Zero whole feature maps, each with probability `p`.

    Args:
        x: `(N, C)` or `(N, C, *)`.
        p: rate in [0, 1].
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; "none" leaves them.

    Source: Tompson et al. 2015, section 3.2.
    """
    rates = ConstantRate(p)
    return regularize(
        x, Channel(), rates if training else 0.0, Zero(), rescale=rescale, channel_dim=channel_dim, generator=generator
    )


class SpatialDropout(ConstantRegularizer):
    """See `spatial_dropout`, and `ConstantRegularizer` for `eval_p`."""

    def __init__(
        self, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(Channel(), p, Zero(), eval_p, rescale=rescale, channel_dim=channel_dim)


METHODS.add(Method("spatial", spatial_dropout, SpatialDropout, "maps", CARD))
