"""The public names, gathered; `import dropover` loads them, and torch with them, when the first one is used."""

from dropover import functional
from dropover.insertion import Plan, insert, regularizers, replace
from dropover.methods import METHODS
from dropover.methods.biased import BiasedDropout
from dropover.methods.crossmap import CrossmapDropout
from dropover.methods.density import DensityDropout
from dropover.methods.density_flip import DensityFlipover
from dropover.methods.drop_block import DropBlock
from dropover.methods.drop_connect import DropConnect
from dropover.methods.drop_path import DropPath
from dropover.methods.dropout import Dropout
from dropover.methods.flipover import Flipover
from dropover.methods.gaussian import GaussianDropout
from dropover.methods.guided import GuidedDropout
from dropover.methods.jumpout import Jumpout
from dropover.methods.max_dropout import MaxDropout
from dropover.methods.sap import StochasticActivationPruning
from dropover.methods.spatial import SpatialDropout
from dropover.methods.spectral import SpectralDropout
from dropover.parts.draws import Bernoulli, Blocks, Shared, WithReplacement
from dropover.parts.effects import Flip, Noise, Zero
from dropover.parts.rates import (
    ConstantRate,
    DensityRates,
    JumpRate,
    MagnitudeRates,
    MaximumRates,
    SampledRates,
    StrengthRates,
)
from dropover.parts.schedules import CosineSchedule, LinearSchedule, StepSchedule
from dropover.parts.units import Channel, Element, Position, Sample
from dropover.progress import advance
from dropover.regularizer import Regularizer
from dropover.uncertainty import MonteCarlo, monte_carlo

__all__ = [
    "METHODS",
    "Bernoulli",
    "BiasedDropout",
    "Blocks",
    "Channel",
    "ConstantRate",
    "CosineSchedule",
    "CrossmapDropout",
    "DensityDropout",
    "DensityFlipover",
    "DensityRates",
    "DropBlock",
    "DropConnect",
    "DropPath",
    "Dropout",
    "Element",
    "Flip",
    "Flipover",
    "GaussianDropout",
    "GuidedDropout",
    "JumpRate",
    "Jumpout",
    "LinearSchedule",
    "MagnitudeRates",
    "MaxDropout",
    "MaximumRates",
    "MonteCarlo",
    "Noise",
    "Plan",
    "Position",
    "Regularizer",
    "Sample",
    "SampledRates",
    "Shared",
    "SpatialDropout",
    "SpectralDropout",
    "StepSchedule",
    "StochasticActivationPruning",
    "StrengthRates",
    "WithReplacement",
    "Zero",
    "advance",
    "functional",
    "insert",
    "monte_carlo",
    "regularizers",
    "replace",
]
