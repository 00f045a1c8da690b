"""Batches of a data set for a user's training function, in an order that its trial knows."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from dropover import validation

Walk = Callable[["Loader"], Iterator[Any]]


class Loader:
    """Iterates over all of a data set in batches, each time in another order; made by `Trial.loader`.

    Attributes:
        name: What its stream is called.
    """

    def __init__(
        self,
        dataset: "Dataset[Any]",
        batch_size: int,
        walk: Walk,
        name: str,
        drop_last: bool,
        collate_fn: Callable[[list[Any]], Any] | None,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"trial.loader needs a data set with a length and items, got {type(dataset).__name__}")
        self.name = name
        self._count = len(dataset)
        self._dataset, self._walk, self._collate = dataset, walk, collate_fn
        self._batch_size, self._drop_last = validation.whole("batch_size", batch_size, 1), drop_last

    def __len__(self) -> int:
        """How many batches it has."""
        return len(range(0, self._count - self._drop_last * (self._batch_size - 1), self._batch_size))

    def __iter__(self) -> Iterator[Any]:
        """The batches in a new order; a trial that was killed among them goes on with the next."""
        return self._walk(self)

    def since(self, index: int, order: torch.Generator) -> Iterator[Any]:
        """The batches from this one on, in the order that a generator at the start of its stream draws."""
        shuffled = torch.randperm(self._count, generator=order).tolist()
        starts = range(index * self._batch_size, len(self) * self._batch_size, self._batch_size)
        batches = [shuffled[start : start + self._batch_size] for start in starts]
        # With a generator of its own it draws nothing from torch's.
        return iter(DataLoader(self._dataset, batch_sampler=batches, generator=order, collate_fn=self._collate))
