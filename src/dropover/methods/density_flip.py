"""Density-guided flip: FDD's rates with Flipover's effect. No paper has it; the parts give it for nothing."""

import torch
from torch import Tensor

from dropover.method import Card, Method, Source
from dropover.methods import METHODS
from dropover.methods.density import FDD
from dropover.parts.effects import Flip
from dropover.parts.rates import ConstantRate, DensityRates
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Density-guided flip",
    summary="Flips the sign of feature maps, seldom in crowded regions of the space of maps, often in empty ones.",
    formula="p = slope · ρ / max ρ + intercept; Ŷ_c = -amplitude · X_c with probability p, else X_c",
    acts="in training",
    sources=(
        FDD,
        Source(
            "Liang, Niu, Yan, Wang 2024: Flipover outperforms dropout in deep learning. Visual Computing for "
            "Industry, Biomedicine, and Art 7:4",
            "https://doi.org/10.1186/s42492-024-00153-y",
        ),
    ),
    settings_in_paper="none: it is in neither paper, which both describe one parent of it",
    caveats=(
        "No publication has tested it.",
        "FDD's own rates reach 0.9, where a flip would turn the layer over: the defaults here are half of them, 0.05 "
        "to 0.45.",
    ),
)


def density_flipover(
    x: Tensor,
    components: int = 2,
    bins: int | None = None,
    slope: float = -0.4,
    intercept: float = 0.45,
    amplitude: float = 1.0,
    *,
    training: bool = True,
    rescale: str = "none",
    channel_dim: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Multiply channels by -`amplitude` with a probability that follows the density of channels around them.

    Args:
        x: `(N, C, *)`; also `(N, C)` for `components=1`.
        components: principal axes that a sample's channels are projected on, 1 to 3.
        bins: equal bins per axis, at least 1; by default 25, 5 and 3 for 1, 2 and 3 components.
        slope: below 0, dense regions are flipped less.
        intercept: slope · density + intercept must stay in [0, 1] for densities in (0, 1].
        amplitude: at least 0; 0 is density dropout without rescaling.
        training: False returns `x` itself.
        rescale: "none", "mean" or "layer"; see `Regularizer`.
        channel_dim: the dimension of the channels: -1 for tokens `(N, T, C)`.
        generator: where the random key comes from; by default torch's own.

    Returns:
        A tensor like `x`. The rates are computed without gradient.

    Raises:
        TypeError: `x` is not of a real floating dtype, or a setting of the wrong kind.
        ValueError: a shape without maps, a setting outside its range, or a rescaling by 0.

    Source: rates of Ke et al. 2020, equation 1; effect of Liang et al. 2024, equation 3.
    """
    rates = DensityRates(components, bins, slope, intercept)
    return regularize(
        x,
        Channel(),
        rates if training else ConstantRate(0.0),
        Flip(amplitude),
        rescale=rescale,
        channel_dim=channel_dim,
        generator=generator,
    )


class DensityFlipover(Regularizer):
    """Flips channels with a probability that follows the density of channels around them.

    Args:
        components: principal axes, 1 to 3.
        bins: equal bins per axis; by default 25, 5 and 3.
        slope: change of the rate from an empty region to the most crowded one.
        intercept: the rate in an empty region.
        amplitude: at least 0.
        rescale: "none", "mean" or "layer"; see `Regularizer`.
        channel_dim: the dimension of the channels: 1 unless you say so or `insert` finds another, such as -1 for tokens
            `(N, T, C)`.

    Shape: `(N, C, *)`, also `(N, C)` for `components=1`; the output is like the input.

    Source: rates of Ke et al. 2020, equation 1; effect of Liang et al. 2024, equation 3.
    """

    components = Setting("rule", "components")
    bins = Setting("rule", "bins")
    slope = Setting("rule", "slope")
    intercept = Setting("rule", "intercept")
    amplitude = Setting("effect", "amplitude")

    def __init__(
        self,
        components: int = 2,
        bins: int | None = None,
        slope: float = -0.4,
        intercept: float = 0.45,
        amplitude: float = 1.0,
        *,
        rescale: str = "none",
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(
            Channel(),
            DensityRates(components, bins, slope, intercept),
            Flip(amplitude),
            rescale=rescale,
            channel_dim=channel_dim,
        )


METHODS.add(Method("density-flip", CARD, DensityFlipover, kind="maps"))
