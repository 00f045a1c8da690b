"""Images to train and test on: one file per data set, found by the registry `DATA`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dropover.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor


_MOST = 1 << 30
"""Bytes of images that a device is given at once; of a larger set it gets each batch when its turn has come."""


class DataError(ValueError):
    """Images that are missing, corrupt or too few. One line: the file, the folder looked in and what to do."""


@dataclass(frozen=True)
class Data:
    """Images, uint8 pixels of shape (N, C, H, W) with H equal to W, and labels, int64 class numbers of shape (N,).

    `classes` are the classes' names in the order of their numbers. Where `scored` is "validation", the test images are
    training images that were held out.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    scored: Literal["test", "validation"] = "test"

    def to(self, device: torch.device) -> Data:
        """The same with its labels on a device, and its images too unless they are larger than a gigabyte."""
        images = (self.train_images, self.test_images)
        where = device if sum(each.nbytes for each in images) <= _MOST else self.train_images.device
        train_images, test_images = (each.to(where) for each in images)
        return replace(
            self,
            train_images=train_images,
            train_labels=self.train_labels.to(device),
            test_images=test_images,
            test_labels=self.test_labels.to(device),
        )


def described(data: Data, name: str) -> str:
    """What a data set of that name holds, in one line: classes, size, channels and counts."""
    channels, height, width = data.train_images.shape[1:]
    use = "test" if data.scored == "test" else "validate"
    return (
        f"{name}: {len(data.classes)} classes, {height}×{width}, {channels} channel{'s' if channels > 1 else ''}, "
        f"{len(data.train_labels):,} to train, {len(data.test_labels):,} to {use}"
    )


@dataclass(frozen=True)
class DataSource:
    """A data set by name.

    Attributes:
        name: Its name in a study.
        aliases: Other names that find it.
        summary: One line for the list.
        load: Takes the folder to look in (None: the usual places), downloads what is missing where there is a network,
            and raises `DataError`.
        where: The place that holds all its files, None if there is none. Takes the folder like `load`; reads nothing.
        resized: For sets whose images may differ in size: like `load`, at so many pixels a side.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    load: Callable[[Path | None], Data]
    where: Callable[[Path | None], Path | None]
    resized: Callable[[Path | None, int], Data] | None = None


DATA: Registry[DataSource] = Registry("data set", __name__)
