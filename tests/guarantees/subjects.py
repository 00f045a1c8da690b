"""A method made ready to be tested: its layer, in the mode in which it acts, an input, and what to expect of it."""

import copy
import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import torch
from torch import Tensor, nn

import dropover
from dropover.compute.cosine_transform import from_spectrum, to_spectrum
from dropover.methods import METHODS, Method

CHANNELS = 12
SMALL = {"block_size": 2}  # the default is larger than the maps here
NAMES = METHODS.names()


@dataclass(frozen=True)
class Subject:
    """A method's layer for 12 channels, in the mode in which it acts, and the shape of a sample that it takes."""

    name: str
    layer: nn.Module
    sample: tuple[int, ...]

    def x(self, samples: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
        """Positive activations that bfloat16 holds exactly, so that every dtype gets the same numbers."""
        return (torch.rand(samples, *self.sample) + 0.1).to(torch.bfloat16).to(dtype)

    def seeded(self, x: Tensor, seed: int = 11) -> Tensor:
        """The output after `torch.manual_seed(seed)`."""
        torch.manual_seed(seed)
        result: Tensor = self.layer(x)
        return result

    def draws(self, x: Tensor, count: int) -> Tensor:
        """(count, *output): independent calls on one and the same input."""
        return torch.vmap(lambda _: self.layer(x), randomness="different")(torch.empty(count))

    def expectation(self, x: Tensor) -> Tensor:
        """The mean of the output over many calls, in float64: in closed form, but for Jumpout."""
        x = x.double()
        layer = self.layer
        if isinstance(layer, dropover.DropConnect):
            return copy.deepcopy(layer.host).double()(x).detach()
        if isinstance(layer, dropover.Jumpout):
            return self.draws(x, 20_000).mean(0)
        assert isinstance(layer, dropover.Regularizer)
        if isinstance(layer, dropover.GuidedDropout):
            x = x * layer.strength.detach().double().view(-1, *[1] * (x.ndim - 2))
        if isinstance(layer, dropover.SpectralDropout):
            return from_spectrum(to_spectrum(x, (2, 3)) * (layer.rates(x) < 1), (2, 3))
        if layer.rescale == "mean":
            return x
        rates = layer.units.on(x, layer.channel_dim).spread(layer.rates(x)).double()
        return x * (1 - rates + rates * layer.effect.mean)


def subject(name: str, **settings: float) -> Subject:
    """The method of that name, with its default settings but for those given."""
    method: Method = METHODS.get(name)
    if method.kind == "weights":
        layer: nn.Module = method.layer(nn.Conv2d(CHANNELS, CHANNELS, 1), **settings)
    else:
        small = {each: SMALL[each] for each in SMALL if each in method.settings()}
        layer = replace(method, presets={**method.presets, **small}).make(CHANNELS, **settings)
    if isinstance(layer, dropover.GuidedDropout):
        with torch.no_grad():
            layer.strength.copy_(torch.linspace(0.5, 1.5, CHANNELS))
    layer.train(getattr(layer, "rule", layer) is not None)
    return Subject(name, layer, (CHANNELS,) if name == "fdd1d" else (CHANNELS, 3, 5))


def limit(comparisons: int) -> float:
    """How many standard errors a right result exceeds, in any of so many comparisons, less than once in a million."""
    return NormalDist().inv_cdf(1 - 0.5e-6 / comparisons)


def standard_errors(found: Tensor, expected: Tensor, spread: Tensor, count: int, rounding: float = 0.0) -> float:
    """The largest distance of a mean of `count` draws from what is expected, beyond rounding, in standard errors."""
    distance = ((found - expected).abs() - rounding * expected.abs().max()).clamp(min=0)
    return (distance / (spread / math.sqrt(count)).clamp(min=1e-12)).max().item()
