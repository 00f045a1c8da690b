"""The public names, gathered; `import dropover` loads them, and torch with them, when the first one is used."""

from dropover import functional
from dropover.draws import Bernoulli, WithReplacement
from dropover.effects import Flip, Noise, Zero
from dropover.methods import METHODS
from dropover.methods.biased import BiasedDropout
from dropover.methods.crossmap import CrossmapDropout
from dropover.methods.density import DensityDropout
from dropover.methods.density_flip import DensityFlipover
from dropover.methods.dropout import Dropout
from dropover.methods.flipover import Flipover
from dropover.methods.gaussian import GaussianDropout
from dropover.methods.guided import GuidedDropout
from dropover.methods.sap import StochasticActivationPruning
from dropover.methods.spatial import SpatialDropout
from dropover.rates import ConstantRate, DensityRates, MagnitudeRates, SampledRates, StrengthRates
from dropover.regularizer import Regularizer
from dropover.units import Channel, Element, Position, Sample

__all__ = [
    "METHODS",
    "Bernoulli",
    "BiasedDropout",
    "Channel",
    "ConstantRate",
    "CrossmapDropout",
    "DensityDropout",
    "DensityFlipover",
    "DensityRates",
    "Dropout",
    "Element",
    "Flip",
    "Flipover",
    "GaussianDropout",
    "GuidedDropout",
    "MagnitudeRates",
    "Noise",
    "Position",
    "Regularizer",
    "Sample",
    "SampledRates",
    "SpatialDropout",
    "StochasticActivationPruning",
    "StrengthRates",
    "WithReplacement",
    "Zero",
    "functional",
]
