"""Density-guided flip: FDD's rates with Flipover's effect. No paper has it; the parts give it for nothing."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.methods.density import KE
from dropover.parts.effects import Flip
from dropover.parts.rates import DensityRates
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Density-guided flip",
    summary="Flips the sign of feature maps, seldom in crowded regions of the space of maps, often in empty ones.",
    formula="p = slope · ρ / max ρ + intercept; Ŷ_c = -amplitude · X_c with probability p, else X_c",
    acts="in training",
    sources={
        **KE,
        "Liang, Niu, Yan, Wang 2024: Flipover outperforms dropout in deep learning. Visual Computing for Industry, "
        "Biomedicine, and Art 7:4": "https://doi.org/10.1186/s42492-024-00153-y",
    },
    settings_in_paper="none: it is in neither paper, which both describe one parent of it",
    caveats=(
        "No publication has tested it.",
        "FDD's own rates reach 0.9, where a flip would turn the layer over: the defaults here are half of them, 0.05 "
        "to 0.45.",
    ),
    ranges={"slope": Range(-0.45, -0.05), "intercept": Range(0.1, 0.5)},
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
    generator: Generator | None = None,
) -> Tensor:
    """Multiply channels by -`amplitude` with a probability that follows the density of channels around them.

    The rates are computed without gradient.

    Args:
        x: `(N, C, *)`; also `(N, C)` for `components=1`.
        components: principal axes that a sample's channels are projected on, 1 to 3.
        bins: equal bins per axis, at least 1; by default 25, 5 and 3 for 1, 2 and 3 components.
        slope: change of the rate from an empty region to the most crowded one; below 0, dense ones are flipped less.
        intercept: the rate in an empty region; slope · density + intercept must stay in [0, 1] for densities in (0, 1].
        amplitude: at least 0; 0 is density dropout without rescaling.

    Source: rates of Ke et al. 2020, equation 1; effect of Liang et al. 2024, equation 3.
    """
    rates, effect = DensityRates(components, bins, slope, intercept), Flip(amplitude)
    return regularize(
        x, Channel(), rates if training else 0.0, effect, rescale=rescale, channel_dim=channel_dim, generator=generator
    )


class DensityFlipover(Regularizer):
    """See `density_flipover`."""

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
        rates = DensityRates(components, bins, slope, intercept)
        super().__init__(Channel(), rates, Flip(amplitude), rescale=rescale, channel_dim=channel_dim)


METHODS.add(Method("density-flip", density_flipover, DensityFlipover, "maps", CARD))
