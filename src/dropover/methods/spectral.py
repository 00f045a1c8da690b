"""Spectral dropout: weak and random frequencies of the maps (Khan, Hayat & Porikli 2017)."""

from collections.abc import Callable

from torch import Generator, Tensor
from torch.fx import Proxy

from dropover import validation
from dropover.compute.cosine_transform import from_spectrum, to_spectrum
from dropover.compute.selection import laid_out_like
from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import MagnitudeRates
from dropover.parts.units import Element, map_dims
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Spectral dropout",
    summary="Zeroes the weak frequencies of each sample's maps, which hold mostly noise, and a random share of the "
    "strong ones.",
    formula="Z = DCT(X); ẑ = 0 where |z| is up to the sample's quantile, and elsewhere with probability p, else "
    "z / (1 - p); Ŷ = DCT⁻¹(Ẑ)",
    acts="in training",
    sources={
        "Khan, Hayat, Porikli 2017: Regularization of deep neural networks with spectral dropout. "
        "Neural Networks 110 (2019)": "https://arxiv.org/abs/1711.08591",
    },
    settings_in_paper="not stated in the abstract at hand; it prunes about 30 % more than dropout. The defaults are "
    "ours",
    caveats=(
        "The transform is over the spatial dimensions of each map, and the border between weak and strong a quantile "
        "of the sample's |z|: both are our reading, as is the rescaling.",
        "The mean of a map is one of its frequencies, mostly the strongest: it is dropped with probability p like "
        "others.",
        "An output after it isn't 0 anywhere and may be negative where the input was not. One infinite activation "
        "spoils its map.",
    ),
    ranges={"p": Range(0.02, 0.4), "quantile": Range(0.1, 0.8)},
)


def spectral_dropout(
    x: Tensor,
    p: float = 0.1,
    quantile: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Zero weak frequencies of `x`, and each of the others with probability `p`.

    Half precision is transformed in float32.

    Args:
        x: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`.
        p: rate of the strong frequencies, in [0, 1].
        quantile: a frequency is weak if its |z| is up to this quantile of its sample's, in [0, 1].
        rescale: of the coefficients: "mean" divides the survivors by 1 - p; see `Regularizer` for the others.

    Source: Khan, Hayat & Porikli 2017.
    """
    rates = _weak_or_chance(p, quantile) if training else 0.0

    def hit(values: Tensor) -> Tensor:
        return regularize(values, Element(), rates, Zero(), rescale=rescale, generator=generator)

    Element().on(x)
    return _in_spectrum(x, channel_dim, hit) if training else hit(x)


class SpectralDropout(Regularizer):
    """See `spectral_dropout`; `rates` gives the probability of each coefficient to be hit, in the input's shape."""

    p = Setting("rule", "p_high")
    quantile = Setting("rule", "quantile")

    def __init__(
        self, p: float = 0.1, quantile: float = 0.5, *, rescale: str = "mean", channel_dim: int | None = None
    ) -> None:
        super().__init__(Element(), _weak_or_chance(p, quantile), Zero(), rescale=rescale, channel_dim=channel_dim)

    @property
    def uses_channels(self) -> bool:
        """True: a spectrum is one of a channel's map."""
        return True

    def rates(self, x: Tensor) -> Tensor:
        """The probability that each coefficient of `x` is hit; float32, in the shape of `x`."""
        self.units.on(x)
        return super().rates(to_spectrum(x, map_dims(x, self.channel_dim, "spectra")))

    def forward(self, x: Tensor) -> Tensor:
        """`x` without its hit frequencies, in training; as it is at inference."""
        if isinstance(x, Proxy):
            return super().forward(x)
        self.units.on(x)
        return _in_spectrum(x, self.channel_dim, super().forward) if self.training else x


def _weak_or_chance(p: float, quantile: float) -> MagnitudeRates:
    p, quantile = validation.number("p", p, 0, 1), validation.number("quantile", quantile, 0, 1)
    return MagnitudeRates(p, 1.0, quantile)


def _in_spectrum(x: Tensor, channel_dim: int, hit: Callable[[Tensor], Tensor]) -> Tensor:
    """What `hit` makes of the coefficients of `x`, back in space, in the dtype and layout of `x`."""
    if x.numel() == 0:
        return x
    dims = map_dims(x, channel_dim, "spectra")
    return laid_out_like(from_spectrum(hit(to_spectrum(x, dims)), dims).to(x.dtype), x)


METHODS.add(Method("spectral-dropout", spectral_dropout, SpectralDropout, "maps", CARD))
