"""A study's data settings become images in memory."""

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from dropover.lab.data import DATA, Data, DataError
from dropover.lab.study import DataSettings


def load_data(settings: DataSettings) -> Data:
    """The images that a study asks for, limited to a class-balanced prefix where it says so.

    Raises:
        UnknownNameError: no data set has that name.
        DataError: a file is missing or corrupt, or a limit is larger than the data set.
    """
    data = _load(DATA.get(settings.name).name, settings.folder)
    train = _limited("train", settings.train_limit, settings.name, data.train_labels)
    test = _limited("test", settings.test_limit, settings.name, data.test_labels)
    return Data(
        data.train_images[train], data.train_labels[train], data.test_images[test], data.test_labels[test], data.classes
    )


def balanced_prefix(labels: Tensor, count: int) -> Tensor:
    """The positions of the first `count` labels when the classes take turns, in ascending order.

    A larger prefix holds every smaller one. A class that runs out leaves its turns to the others.

    Args:
        labels: int64 class numbers of shape (N,).
        count: How many positions, at most N.
    """
    turn = torch.empty_like(labels)
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        turn[members] = torch.arange(len(members))
    return turn.sort(stable=True).indices[:count].sort().values


def _limited(part: str, limit: int | None, name: str, labels: Tensor) -> Tensor | slice:
    if limit is None:
        return slice(None)
    if limit > len(labels):
        raise DataError(f"{part}_limit must be at most {len(labels)}, the {part} images of {name}, got {limit}")
    return balanced_prefix(labels, limit)


@lru_cache(maxsize=1)
def _load(name: str, folder: Path | None) -> Data:
    """Kept, because a worker runs many trials on the same images."""
    return DATA.get(name).load(folder)
