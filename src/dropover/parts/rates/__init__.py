"""With what probability is each unit hit? One rule a file; `base.Rates` says what a rule answers."""

from dropover.parts.rates.base import Rates as Rates
from dropover.parts.rates.constant import ConstantRate as ConstantRate
from dropover.parts.rates.constant import as_rates as as_rates
from dropover.parts.rates.constant import constant as constant
from dropover.parts.rates.density import DEFAULT_BINS as DEFAULT_BINS
from dropover.parts.rates.density import DensityRates as DensityRates
from dropover.parts.rates.jump import JumpRate as JumpRate
from dropover.parts.rates.magnitude import MagnitudeRates as MagnitudeRates
from dropover.parts.rates.maximum import MaximumRates as MaximumRates
from dropover.parts.rates.sampled import SampledRates as SampledRates
from dropover.parts.rates.strength import GivenStrength as GivenStrength
from dropover.parts.rates.strength import StrengthRates as StrengthRates
