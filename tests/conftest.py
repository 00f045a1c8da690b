"""Every test starts from the same random state, so that what passes once passes again."""

import os

import pytest
import torch

LONGEST = ("test_reproductions.py", "test_on_device.py", "test_resuming.py", "test_examples.py", "test_docs_code.py")


def pytest_configure() -> None:
    # What is exact is so on the CPU alone, and studies take a GPU by default. `python -m tests.on_device` is for GPUs.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Begun last, the longest files would keep one process busy while the other has nothing left.
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    # Each process of a run must find tests of the same names.
    nameless = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if nameless:
        raise pytest.UsageError(f"a test's name holds an address, another one in each process; give ids: {nameless[0]}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    torch.manual_seed(0)
