"""Density dropout, FDD: rates by feature density (Ke et al. 2020)."""

from dataclasses import replace

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import DensityRates
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer, Setting, regularize

KE = {
    "Ke et al. 2020: Group-wise dynamic dropout based on latent semantic "
    "variations. AAAI": "https://doi.org/10.1609/aaai.v34i07.6782"
}

CARD = Card(
    title="Density dropout of maps (FDD-2D, FDD-3D)",
    summary="Projects a sample's feature maps on their principal axes and drops those in crowded regions seldom, those "
    "in empty ones often.",
    formula="Ŷ_c = 0 with probability p, else X_c; p = slope · ρ / max ρ + intercept, ρ = units in c's cell",
    acts="in training",
    sources=KE,
    settings_in_paper="slope -0.8, intercept 0.9; 25 bins (1-D), 5 × 5 (2-D), 3 × 3 × 3 (3-D); at the last convolution "
    "or the last features of ResNet-18",
    caveats=(
        "The paper multiplies by m ~ Bernoulli(p) and calls p the dropout probability; since it says that dense groups "
        "are retained, p here is the probability of being zeroed.",
        "Neither the paper nor the default rescales: the net learns on activations that are smaller than at inference, "
        "its logits grow, and the cross-entropy gradient fades. Robustness measured by FGSM or PGD with cross-entropy "
        "is then too high: check it with a margin loss. docs/findings.md has figures.",
        "rescale='mean' multiplies a survivor of rate 0.9 by 10, and trains far worse (docs/findings.md).",
        "Crowded cells hold mostly maps that are near zero, so the maps dropped most are the strongest ones.",
    ),
    ranges={"slope": Range(-0.85, -0.1), "intercept": Range(0.3, 0.95)},
)


def density_dropout(
    x: Tensor,
    components: int = 2,
    bins: int | None = None,
    slope: float = -0.8,
    intercept: float = 0.9,
    *,
    training: bool = True,
    rescale: str = "none",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Zero channels with a probability that follows the density of channels around them.

    The rates are computed without gradient.

    Args:
        x: `(N, C, *)`; also `(N, C)` for `components=1`.
        components: principal axes that a sample's channels are projected on, 1 to 3: FDD-1D, FDD-2D, FDD-3D.
        bins: equal bins per axis, at least 1; by default 25, 5 and 3 for 1, 2 and 3 components.
        slope: κ in the paper; below 0, dense regions are dropped less.
        intercept: α in the paper. slope · density + intercept must stay in [0, 1] for densities in (0, 1].
        rescale: "none" (the paper; docs/findings.md says why) leaves survivors as they are, "mean" divides each by
            1 - its rate, "layer" by the sample's mean of that.

    Source: Ke et al. 2020, algorithm 1 and equations 1 to 3.
    """
    rates = DensityRates(components, bins, slope, intercept)
    return regularize(
        x, Channel(), rates if training else 0.0, Zero(), rescale=rescale, channel_dim=channel_dim, generator=generator
    )


class DensityDropout(Regularizer):
    """See `density_dropout`."""

    components = Setting("rule", "components")
    bins = Setting("rule", "bins")
    slope = Setting("rule", "slope")
    intercept = Setting("rule", "intercept")

    def __init__(
        self,
        components: int = 2,
        bins: int | None = None,
        slope: float = -0.8,
        intercept: float = 0.9,
        *,
        rescale: str = "none",
        channel_dim: int | None = None,
    ) -> None:
        rates = DensityRates(components, bins, slope, intercept)
        super().__init__(Channel(), rates, Zero(), rescale=rescale, channel_dim=channel_dim)


FEATURES_CARD = replace(
    CARD,
    title="Density dropout of features (FDD-1D)",
    summary="Cuts the range of a sample's features into bins and drops those in crowded bins seldom, those in empty "
    "ones often.",
    formula="ŷ_j = 0 with probability p, else x_j; p = slope · ρ / max ρ + intercept, ρ = units in j's bin",
)
METHODS.add(Method("fdd1d", density_dropout, DensityDropout, "features", FEATURES_CARD, {"components": 1}))
METHODS.add(Method("fdd2d", density_dropout, DensityDropout, "maps", CARD, {"components": 2}))
METHODS.add(Method("fdd3d", density_dropout, DensityDropout, "maps", CARD, {"components": 3}))
