"""Every test starts from the same random state, so that what passes once passes again."""

import pytest
import torch

LONGEST = "test_reproductions.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Begun last, the longest file would keep one process busy while the other has nothing left.
    items.sort(key=lambda item: item.path.name != LONGEST)


def pytest_runtest_setup(item: pytest.Item) -> None:
    torch.manual_seed(0)
