"""Limits for statistics, and one seed and thread for every test."""

import math
from collections.abc import Iterator

import pytest
import torch

from . import subjects


@pytest.fixture(autouse=True)
def _one_seed_and_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(2024)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def limit():
    return subjects.limit


@pytest.fixture
def z_of_rate():
    """Standard errors between the frequency of True in a tensor and a rate."""
    return lambda hit, p: (hit.double().sum().item() - hit.numel() * p) / math.sqrt(hit.numel() * p * (1 - p))
