"""Guided dropout: rates by a learned strength (Keshari et al. 2019)."""

from operator import attrgetter

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.effects import Zero
from dropover.parts.rates import GivenStrength, StrengthRates
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer, regularize

CARD = Card(
    title="Guided dropout",
    summary="Learns a strength for every unit, multiplies the unit by it, and drops strong units so that weak "
    "ones train.",
    formula="x' = t · x; ŷ = 0 with the rate that t gives, else x' / (1 - rate)",
    acts="the strength always; the dropping in training",
    sources={"Keshari, Singh, Vatsa 2019: Guided dropout. AAAI": "https://arxiv.org/abs/1812.03965"},
    settings_in_paper="p = 0.2 to 0.5, strengths trained with the net from 1",
    caveats=(
        "It adds a parameter per unit, the only method here that changes a checkpoint.",
        "The border of the active region is our reading: the upper half of the histogram of t. While all strengths are "
        "equal, every unit is active and the method is dropout.",
        "In mode 'top' a unit is hit with rate 1 or 0: no rescaling can keep its expectation.",
    ),
    ranges={"p": Range(0.05, 0.5)},
)


def guided_dropout(
    x: Tensor,
    strength: Tensor,
    p: float = 0.3,
    mode: str = "active",
    *,
    training: bool = True,
    rescale: str = "mean",
    channel_dim: int = 1,
    generator: Generator | None = None,
) -> Tensor:
    """Multiply each unit by its strength, then zero strong units.

    Args:
        x: `(N, C)` or `(N, C, *)`.
        strength: (C,), one number per channel or feature; gradients flow to it through the product.
        p: rate in [0, 1].
        mode: "top" zeroes the ceil(p · C) strongest units; "active" zeroes each unit of the upper half of the
            histogram of the strengths with probability p.
        training: False only multiplies.

    Source: Keshari, Singh & Vatsa 2019.
    """
    units = Channel().on(x, channel_dim)
    if strength.shape != (x.shape[channel_dim],):
        raise ValueError(f"strength must have the shape ({x.shape[channel_dim]},), got {tuple(strength.shape)}")
    rates = GivenStrength(strength, p, mode)
    x = rates.modulate(units)
    return regularize(
        x, Channel(), rates if training else 0.0, Zero(), rescale=rescale, channel_dim=channel_dim, generator=generator
    )


class GuidedDropout(Regularizer):
    """See `guided_dropout`; `num_units` are the channels or features of the input, whose strengths it learns."""

    rule: StrengthRates
    num_units = property(attrgetter("rule.num_units"), doc="Channels or features of the input.")
    p = property(attrgetter("rule.p"), doc="The rate.")
    mode = property(attrgetter("rule.mode"), doc='Which units are dropped: "active" or "top".')
    strength = property(attrgetter("rule.strength"), doc="(num_units,): the learned strengths.")

    def __init__(
        self,
        num_units: int,
        p: float = 0.3,
        mode: str = "active",
        *,
        rescale: str = "mean",
        channel_dim: int | None = None,
    ) -> None:
        super().__init__(Channel(), StrengthRates(num_units, p, mode), Zero(), rescale=rescale, channel_dim=channel_dim)


METHODS.add(Method("guided", guided_dropout, GuidedDropout, "features", CARD))
