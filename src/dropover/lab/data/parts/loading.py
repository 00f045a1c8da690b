"""A study's data settings become images in memory."""

from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from dropover.lab.data import DATA, Data, DataError, DataSource
from dropover.lab.data.parts.factory import source_from
from dropover.lab.digests import of_plain, of_tensors
from dropover.lab.streams import generator
from dropover.lab.study import DataSettings
from dropover.lab.user_code import is_user_code
from dropover.registry import UnknownNameError


def load_data(settings: DataSettings) -> Data:
    """The images that a study asks for.

    The validation images are held out first: so many of every class, drawn once and for all, so that every seed and arm
    holds out the same and a larger number holds every smaller one. `train_limit` then takes a class-balanced prefix of
    the rest, `test_limit` one of the test images. Where validation is scored, all its images replace the test images.

    Raises:
        UnknownNameError: no data set has that name.
        DataError: a file is missing or corrupt, the user's own images can't be used, or a number is larger than the
            data set.
    """
    if settings.score == "validation" and not settings.validation:
        raise DataError("score is 'validation', and no images are held out for it: set data.validation to their number")
    data = _load(settings.name, settings.folder, settings.size)
    rest, held_out = _split(data.train_labels, settings.validation, settings.name)
    labels = data.train_labels[rest]
    kept = _limited("train", settings.train_limit, settings.name, labels)
    train = rest if isinstance(kept, slice) else kept if isinstance(rest, slice) else rest[kept]
    train_images, train_labels = data.train_images[train], data.train_labels[train]
    if settings.score == "validation":
        scored = data.train_images[held_out], data.train_labels[held_out]
    else:
        test = _limited("test", settings.test_limit, settings.name, data.test_labels)
        scored = data.test_images[test], data.test_labels[test]
    return Data(train_images, train_labels, *scored, data.classes, settings.score)


@cache
def content_of(settings: DataSettings) -> str:
    """Digest of the images that a study asks for: pixels, labels, and the classes' names in their order.

    Where they come from has no part in it. Computed once in a process; raises as `load_data`.
    """
    data = load_data(settings)
    parts = ("train_images", "train_labels", "test_images", "test_labels")
    return of_plain([of_tensors({part.replace("_", " "): getattr(data, part) for part in parts}), data.classes])


def source_of(name: str) -> DataSource:
    """The data set of that name, or the user's own for `module:factory`; `UnknownNameError` if there is none."""
    if is_user_code(name):
        return source_from(name)
    try:
        return DATA.get(name)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error}; besides MODULE:FACTORY for images of your own") from None


def balanced_prefix(labels: Tensor, count: int) -> Tensor:
    """The positions of the first `count` labels when the classes take turns, in ascending order.

    A larger prefix holds every smaller one. A class that runs out leaves its turns to the others. `labels` are int64 of
    shape (N,), `count` is at most N.
    """
    turn = torch.empty_like(labels)
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        turn[members] = torch.arange(len(members), device=labels.device)
    return turn.sort(stable=True).indices[:count].sort().values


def _split(labels: Tensor, validation: int, name: str) -> tuple[Tensor | slice, Tensor]:
    """The positions that stay for training, in ascending order, and those held out for validation."""
    if not validation:
        return slice(None), torch.empty(0, dtype=torch.int64)
    if validation >= len(labels):
        raise DataError(f"validation must be below {len(labels)}, the training images of {name}, got {validation}")
    shuffled = torch.randperm(len(labels), generator=generator(0, "validation"))
    held_out = shuffled[balanced_prefix(labels[shuffled], validation)].sort().values
    stays = torch.ones(len(labels), dtype=torch.bool)
    stays[held_out] = False
    return stays.nonzero().flatten(), held_out


def _limited(part: str, limit: int | None, name: str, labels: Tensor) -> Tensor | slice:
    if limit is None:
        return slice(None)
    if limit > len(labels):
        raise DataError(f"{part}_limit must be at most {len(labels)}, the {part} images of {name}, got {limit}")
    return balanced_prefix(labels, limit)


@lru_cache(maxsize=1)
def _load(name: str, folder: Path | None, size: int | None) -> Data:
    # Kept, because a worker runs many trials on the same images.
    source = source_of(name)
    if size is None:
        return source.load(folder)
    if source.resized is None:
        raise DataError(f"size has no effect on {name}, whose images all have one size: leave it out, got {size}")
    return source.resized(folder, size)
