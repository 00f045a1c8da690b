"""What the core's tests share: every method in the mode in which it acts, an input for it, and limits for statistics.

A test that asks for `method` runs once for every registered method that can be placed between layers.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import NormalDist

import hypothesis
import pytest
import torch
from torch import Tensor

from dropover.methods import METHODS, Method
from dropover.regularizer import Regularizer

hypothesis.settings.register_profile("core", derandomize=True, deadline=None, max_examples=40, database=None)
hypothesis.settings.load_profile("core")

CHANNELS = 12
SMALL = {"block_size": 2}  # the default is larger than the maps here


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "method" in metafunc.fixturenames:
        placeable = [method for method in METHODS if method.kind != "weights"]
        methods = [replace(method, presets={**method.presets, **small(method)}) for method in placeable]
        metafunc.parametrize("method", methods, ids=lambda method: method.name)


def small(method: Method) -> dict[str, int]:
    """The settings with which a method fits the inputs here."""
    return {name: SMALL[name] for name in SMALL if name in method.settings()}


@pytest.fixture(autouse=True)
def _one_seed_and_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(2024)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def acting(method: Method) -> Regularizer:
    """The method's layer for 12 channels, with its default settings, in the mode in which it acts."""
    layer = method.make(CHANNELS)
    assert isinstance(layer, Regularizer)
    if method.name == "guided":
        with torch.no_grad():
            layer.strength.copy_(torch.linspace(0.5, 1.5, CHANNELS))
    return layer.train(layer.rule is not None)


@pytest.fixture
def make_input(method: Method) -> Callable[..., Tensor]:
    """Positive activations of a shape that the method takes."""

    def make(samples: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
        maps = method.name != "fdd1d"
        return torch.rand(samples, CHANNELS, *((3, 5) if maps else ()), dtype=dtype) + 0.1

    return make


@pytest.fixture
def limit() -> Callable[[int], float]:
    """How many standard errors a right result exceeds, in any of so many comparisons, less than once in a million."""
    return lambda comparisons: NormalDist().inv_cdf(1 - 0.5e-6 / comparisons)


@pytest.fixture
def z_of_rate() -> Callable[[Tensor, float], float]:
    """Standard errors between the frequency of True in a tensor and a rate."""
    return lambda hit, p: (hit.double().sum().item() - hit.numel() * p) / math.sqrt(hit.numel() * p * (1 - p))
