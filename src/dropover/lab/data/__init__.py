"""Images to train and test on: one file per data set, found by the registry `DATA`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dropover.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class DataError(ValueError):
    """Images that are missing, corrupt or too few. One line: the file, the folder looked in and what to do."""


@dataclass(frozen=True)
class Data:
    """Images and labels in memory.

    Attributes:
        train_images: uint8 pixels of shape (N, C, H, W), 0 to 255.
        train_labels: int64 class numbers of shape (N,).
        test_images: like `train_images`.
        test_labels: like `train_labels`.
        classes: The classes' names, in the order of their numbers.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DataSource:
    """A data set by name. `load` takes the folder to look in (None: the usual places) and raises `DataError`."""

    name: str
    aliases: tuple[str, ...]
    summary: str
    load: Callable[[Path | None], Data]


DATA: Registry[DataSource] = Registry("data set", __name__)
