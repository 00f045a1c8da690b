"""Cross-map dropout: one position in all maps (Poernomo & Kang 2018)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, ConstantRegularizer, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import ConstantRate
from dropover.parts.schedules import Rate
from dropover.parts.units import Position
from dropover.regularizer import regularize

CARD = Card(
    title="Cross-map dropout",
    summary="Zeroes the same positions in all feature maps at once: a pixel is seen by every channel or by none.",
    formula="ŷ_chw = 0 for every channel c with probability p, else x_chw / (1 - p), for each position (h, w)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Poernomo & Kang 2018: Biased dropout and crossmap dropout: learning towards effective dropout regularization "
        "in convolutional neural network. Neural Networks 104": "https://doi.org/10.1016/j.neunet.2018.03.016",
    },
    settings_in_paper="p not stated in the summary at hand; FDD compares with it at p = 0.5 on the last convolution",
    caveats=(
        "On small maps few positions are left, and each carries all that the net knows of its place.",
        "FDD (Ke et al. 2020, table 2) finds it no better than no regularizer on three of four data sets.",
    ),
    ranges={"p": Range(0.05, 0.6)},
)


def crossmap_dropout(
    x: Tensor,
    p: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Zero the same positions in all feature maps at once, each with probability `p`.

    Args:
        x: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`.
        p: rate in [0, 1].
        rescale: "mean" divides the survivors by 1 - p; "layer" is the same here; "none" leaves them.

    Source: Poernomo & Kang 2018.
    """
    rates = ConstantRate(p)
    return regularize(
        x, Position(), rates if training else 0.0, Zero(), rescale=rescale, channel_dim=channel_dim, generator=generator
    )


class CrossmapDropout(ConstantRegularizer):
    """See `crossmap_dropout`, and `ConstantRegularizer` for `eval_p`."""

    def __init__(
        self, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(Position(), p, Zero(), eval_p, rescale=rescale, channel_dim=channel_dim)


METHODS.add(Method("crossmap", crossmap_dropout, CrossmapDropout, "maps", CARD))
