"""Every test starts from the same random state, so that what passes once passes again."""

import pytest
import torch


def pytest_runtest_setup(item: pytest.Item) -> None:
    torch.manual_seed(0)
