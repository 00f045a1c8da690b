"""Stochastic activation pruning (Dhillon et al. 2018)."""

from torch import Generator, Tensor

from dropover.methods import METHODS, Card, Method, Range
from dropover.parts.draws import WithReplacement
from dropover.parts.effects import Zero
from dropover.parts.rates import SampledRates
from dropover.parts.units import Element
from dropover.regularizer import Regularizer, Setting, regularize

CARD = Card(
    title="Stochastic activation pruning (SAP)",
    summary="At inference, draws activations in proportion to their magnitude, prunes what was not drawn and scales "
    "the rest up.",
    formula="q_j = |h_j| / Σ|h|; r draws with replacement; ŷ_j = h_j / (1 - (1 - q_j)^r) if drawn, else 0",
    acts="at inference only",
    sources={
        "Dhillon et al. 2018: Stochastic activation pruning for robust adversarial defense. "
        "ICLR": "https://arxiv.org/abs/1803.01442",
        "Athalye, Carlini, Wagner 2018: Obfuscated gradients give a false sense of security. "
        "ICML": "https://arxiv.org/abs/1802.00420",
    },
    settings_in_paper="fraction = 1 (as many draws as activations), after every layer of a ResNet-20",
    caveats=(
        "It gives no security: an attack that averages the gradient over draws brings its accuracy at ε = 0.031 on "
        "CIFAR-10 to 0 % (Athalye, Carlini & Wagner 2018, section 5.3.1).",
        "The model becomes random at inference: a figure for it must say how often it was scored.",
    ),
    ranges={"fraction": Range(0.2, 2.0, log=True)},
)


def stochastic_activation_pruning(
    x: Tensor, fraction: float = 1.0, *, rescale: str = "mean", generator: Generator | None = None
) -> Tensor:
    """Prune activations by a draw that prefers large ones; a sample that is all 0 is unchanged.

    Args:
        x: any shape; dimension 0 holds the samples.
        fraction: draws per activation: r = ceil(fraction · n) of a sample's n activations are drawn, above 0.
        rescale: "mean" divides a survivor by its chance to survive, as the paper; "layer" by the sample's mean of
            that; "none" leaves it.

    Source: Dhillon et al. 2018, algorithm 1. Known to give no security: Athalye, Carlini & Wagner 2018.
    """
    rates = SampledRates(fraction)
    return regularize(x, Element(), rates, Zero(), draw=WithReplacement(), rescale=rescale, generator=generator)


class StochasticActivationPruning(Regularizer):
    """See `stochastic_activation_pruning`; acts at inference and does nothing in training."""

    fraction = Setting("eval_rule", "fraction")

    def __init__(self, fraction: float = 1.0, *, rescale: str = "mean") -> None:
        rates = SampledRates(fraction)
        super().__init__(Element(), None, Zero(), eval_rates=rates, draw=WithReplacement(), rescale=rescale)


METHODS.add(Method("sap", stochastic_activation_pruning, StochasticActivationPruning, "features", CARD))
