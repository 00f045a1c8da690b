"""The user's own images from code: `module:factory`, a callable that returns data sets."""

from collections.abc import Iterator, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from dropover.lab.blame import ForeignError, blaming
from dropover.lab.data import Data, DataError, DataSource
from dropover.lab.streams import seeded
from dropover.lab.user_code import current_directory_importable, factory_named
from dropover.lab.waiting import shown


class ForeignDataError(DataError, ForeignError):
    """The user's own code failed to give images."""


def source_from(name: str) -> DataSource:
    """The data set `module:factory`, which is not in the registry."""

    def load(folder: Path | None) -> Data:
        if folder is not None:
            raise DataError(f"folder has no effect on {name}, which makes its own images: leave it out, got {folder}")
        # Every process calls the factory, and all must get the same images where it draws random ones.
        with current_directory_importable(), seeded(0, "data"):
            return from_factory(name)

    return DataSource(name, (), "your own", load, lambda _folder: None)


def from_factory(name: str) -> Data:
    """Call `module:factory` without arguments and take up what it returns.

    It returns a `Data`, or a pair (train, test). Each of the two is a map-style `torch.utils.data.Dataset` of
    (image, label), or a pair of tensors (images, labels). Images are PIL images or tensors of shape (C, H, W) (or
    (H, W)), uint8 or floating in [0, 1], and are taken once: a random transform in the data set would draw a single
    time. Labels count from 0.

    Raises:
        DataError: there is no such factory, it raises, or what it returns is something else.
    """
    try:
        factory = factory_named(name)
    except ForeignError as error:
        raise ForeignDataError(str(error)) from error
    except ValueError as error:
        raise DataError(str(error)) from None
    with blaming(f"{name} raised", ForeignDataError):
        result: Any = factory()
    if isinstance(result, Data):
        train, test = (result.train_images, result.train_labels), (result.test_images, result.test_labels)
        classes: Any = result.classes
    elif isinstance(result, tuple | list) and len(result) == 2:
        train, test = result
        classes = getattr(train, "classes", None)
    else:
        raise DataError(f"{name} must return a pair (train, test) or a dropover Data, got {_kind_of(result)}")
    train_images, train_labels = _part(f"{name}, train", train)
    test_images, test_labels = _part(f"{name}, test", test)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{name}: training images have shape {tuple(train_images.shape[1:])}, "
            f"test images {tuple(test_images.shape[1:])}: they must have the same"
        )
    highest = int(max(train_labels.max(), test_labels.max()))
    names = tuple(map(str, classes)) if classes is not None else tuple(map(str, range(highest + 1)))
    if highest >= len(names):
        raise DataError(f"{name}: has a label {highest}, but only {len(names)} classes: labels count from 0")
    if len(names) < 2:
        raise DataError(f"{name}: must have two classes or more, got {len(names)}")
    return Data(train_images, train_labels, test_images, test_labels, names)


def _part(name: str, part: Any) -> tuple[Tensor, Tensor]:
    if isinstance(part, TensorDataset):
        part = part.tensors
    if isinstance(part, tuple | list) and len(part) == 2 and all(isinstance(tensor, Tensor) for tensor in part):
        images, labels = part
    elif isinstance(part, Dataset) and not isinstance(part, IterableDataset) and isinstance(part, Sized):
        images, labels = _collect(name, part)
    else:
        raise DataError(
            f"{name}: must be a map-style torch Dataset or a pair of tensors (images, labels), got {_kind_of(part)}"
        )
    if images.dim() == 3:
        images = images.unsqueeze(1)
    if images.dim() != 4 or images.shape[2] != images.shape[3]:
        raise DataError(f"{name}: images must have the shape (N, C, H, H), got {tuple(images.shape)}")
    if labels.dim() != 1 or len(labels) != len(images):
        raise DataError(f"{name}: labels must have the shape ({len(images)},), got {tuple(labels.shape)}")
    if not images.numel():
        raise DataError(f"{name}: is empty, shape {tuple(images.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{name}: labels must be whole numbers, got {labels.dtype}")
    if int(labels.min()) < 0:
        raise DataError(f"{name}: labels count from 0, got {int(labels.min())}")
    return _as_bytes(name, images.detach().cpu()).contiguous(), labels.detach().cpu().long()


def _collect(name: str, part: Any) -> tuple[Tensor, Tensor]:
    """All of a data set's images and labels, in its order."""
    if not len(part):
        raise DataError(f"{name}: is empty")
    images, labels = torch.empty(0, dtype=torch.uint8), torch.empty(len(part), dtype=torch.int64)
    for index, (image, label) in enumerate(shown(_items(name, part), len(part), f"reading {name}")):
        if index == 0:
            images = images.new_empty(len(part), *image.shape)
        if image.shape != images.shape[1:]:
            raise DataError(
                f"{name}: image 0 has shape {tuple(images.shape[1:])}, image {index} {tuple(image.shape)}: "
                "they must have the same"
            )
        images[index], labels[index] = image, label
    return images, labels


def _items(name: str, part: Any) -> Iterator[tuple[Tensor, int]]:
    for index in range(len(part)):
        with blaming(f"{name}: reading image {index} as (image, label) raised", ForeignDataError):
            image, label = part[index]
        if isinstance(image, Image.Image):
            mode = "L" if image.mode in ("1", "L") else "RGB"
            # A copy, because torch warns of arrays that can't be written to.
            pixels = torch.from_numpy(np.array(image.convert(mode)))
            image = pixels.permute(2, 0, 1) if pixels.dim() == 3 else pixels.unsqueeze(0)
        elif isinstance(image, Tensor):
            image = _as_bytes(f"{name}, image {index}", image)
        else:
            raise DataError(f"{name}: image {index} must be a PIL image or a tensor, got {type(image).__name__}")
        try:
            number = int(label)
            whole = number == float(label)
        except (TypeError, ValueError):
            whole = False
        if not whole:
            raise DataError(f"{name}: the label of image {index} must be a whole number, got {label!r}")
        yield image, number


def _as_bytes(name: str, images: Tensor) -> Tensor:
    """Pixels as uint8; floating ones are rounded to the nearest of the 256 levels in [0, 1]."""
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise DataError(f"{name}: images must be uint8 or floating in [0, 1], got {images.dtype}")
    low, high = map(float, images.aminmax()) if images.numel() else (0.0, 0.0)
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"{name}: floating images must lie in [0, 1], got {low:g} to {high:g}: leave normalising to the network"
        )
    return (images * 255).round().to(torch.uint8)


def _kind_of(value: object) -> str:
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, tuple | list) else type(value).__name__
