"""A trial as its training function sees it: one arm, one seed, and all that the arms of a seed share."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import nullcontext
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.utils.data import Dataset

from dropover import validation
from dropover.insertion import regularizers
from dropover.insertion.modes import Example
from dropover.lab.devices import device_named
from dropover.lab.models.parts.users import place_in, spots_of
from dropover.lab.records.checkpoints import Checkpoints, Pace, checkpoint_path
from dropover.lab.records.rows import Row
from dropover.lab.records.trials import TrialKey, key_of
from dropover.lab.running.figures import as_number
from dropover.lab.running.loader import Loader
from dropover.lab.running.loops import Loops
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.resuming import Part, Resuming
from dropover.lab.running.trial_state import Clock, RandomNumbers
from dropover.lab.streams import REGULARIZER, begin, generator
from dropover.lab.study import Study
from dropover.progress import advance

T = TypeVar("T")
_REPORT_EVERY = 0.2
"""Seconds between two reports: each is a message to another process."""
_LISTED = 3
"""How many places are told."""


class Trial:
    """One arm with one seed, as a training function gets it.

    All arms of a seed share everything random but what the arm's layers draw: until `regularize` is called, torch,
    numpy and random draw from the seed's stream "weights", and the items of `track` begin with streams of their own.
    What is drawn between the layers' own numbers, such as augmentation in the middle of an epoch, is shared if it comes
    from `generator`.

    Attributes:
        study: The study that the trial is of.
        arm: The name of the arm.
        seed: The seed, at least 0.
    """

    def __init__(
        self,
        study: Study,
        arm: str,
        seed: int,
        report: Callable[[TrialProgress], None] = lambda _progress: None,
        results: Path = Path("results"),
        pace: Pace | None = None,
    ) -> None:
        self.study = study
        self.arm = arm
        self.seed = seed
        self._report = report
        self._results = results
        self._scheduled: list[nn.Module] = []
        self._pace = pace
        self._loops = Loops()
        self._resuming: Resuming | None = None
        self._clock = Clock()
        self._reported = -math.inf
        self._logged: dict[tuple[str, float], float] = {}
        self._shown: dict[str, float] = {}
        self._done = 0.0
        self._told = 0

    def __repr__(self) -> str:
        return f"Trial(arm={self.arm!r}, seed={self.seed})"

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the study says of the function beside its name: keys of `[trial]`, or `settings` of `lab.compare`."""
        return {} if self.study.trial is None else self.study.trial.settings

    @property
    def device(self) -> torch.device:
        """Where the model and its data belong; the study's `device`."""
        return device_named(self.study.device)

    @property
    def precision(self) -> str:
        """The study's `precision`, "fp32" or "bf16": the function sees to it."""
        return self.study.precision

    @cached_property
    def _key(self) -> TrialKey:
        return key_of(self.study, self.study.arm(self.arm), self.seed)

    @cached_property
    def folder(self) -> Path:
        """A folder of this trial's own, made when it is first asked for. A rerun of the same trial gets the same."""
        folder = self._key.path(self._results).with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def generator(self, name: str) -> torch.Generator:
        """A new CPU generator at the start of the stream of that name: the same numbers for every arm of the seed."""
        return self._random.give(name)

    def loader(
        self,
        dataset: "Dataset[Any]",
        batch_size: int,
        *,
        name: str = "batches",
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
    ) -> Loader:
        """Batches of a data set, shuffled anew in each epoch, in the same order for every arm of the seed.

        Like a `DataLoader`, in this process. A trial with a `checkpoint` that was killed goes on from the batch that it
        had come to, in loops over `track`.

        Args:
            dataset: What has a length and items.
            batch_size: How many items a batch has, at least 1.
            name: The stream that the order is drawn from.
            drop_last: Leave out a last batch of fewer items.
            collate_fn: Makes a batch of a list of items; torch's own by default.
        """
        return Loader(dataset, batch_size, lambda loader: self._walk(loader, len(loader)), name, drop_last, collate_fn)

    def checkpoint(self, **parts: Part) -> None:
        """Keep these from time to time, and go on from there if this trial was killed: to the bit.

        To be called before the loop over `track`, which begins at the item that a killed run had come to, with all
        parts as they were, random numbers and what was logged too. Within an item a run is kept in a first loop over
        `track` or `loader`. Loops must be over `range`, a list or a `loader`: others are not come back into.

        Args:
            parts: All that changes while it is trained: model, optimizer, schedule, whatever else has `state_dict` and
                `load_state_dict`; a `torch.Generator`, a dictionary or a list of numbers.

        Raises:
            TypeError: a part of another kind.
            ValueError: first called within a loop.
        """
        if self._resuming is None:
            if self._loops.open:
                raise ValueError("trial.checkpoint must be called before the loop that is to be gone on with")
            own: dict[str, Part] = {"its curves": self._logged, "its figures": self._shown, "its clock": self._clock}
            self._resuming = Resuming(self.checkpoints, self._loops, own, self._random)
        self._resuming.add(parts)

    @cached_property
    def _random(self) -> RandomNumbers:
        return RandomNumbers(self.seed, self.device)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """Where this trial is kept while it isn't finished."""
        if self._pace is None:
            return Checkpoints()
        return Checkpoints(checkpoint_path(self._key, self._results), self._pace, self.say)

    @property
    def seconds(self) -> float:
        """How long the trial has taken, before it was killed too."""
        return self._clock.seconds

    def end(self) -> None:
        """Called when the function has returned; `CheckpointError` if it never came to where a killed run was."""
        if self._resuming is not None:
            self._resuming.end()

    def regularize(self, model: nn.Module, example: Example | None = None) -> nn.Module:
        """Put the arm's layers into a model, and have random numbers come from the layers' stream from here on.

        They go where the study says (`at`), else instead of the dropouts that the model has, else before its last
        linear layer. The arm without a method takes dropouts away there.

        Args:
            model: Changed in place.
            example: An input, or a tuple of positional arguments, on which the model is run once to check the places.

        Returns:
            The model itself.

        Raises:
            PositionError: the model has no such place.
            TypeError, ValueError: layers that can't be made, or can't sit there.
        """
        arm = self.study.arm(self.arm)
        if arm.at is None:
            spots = spots_of(model)
            more = "; …" * (len(spots) > _LISTED)
            self.say(f"Layers go {'; '.join(map(str, spots[:_LISTED]))}{more}; `at` puts them elsewhere")
        place_in(model, arm, example)
        self._scheduled = [model] if any(layer.scheduled for layer in regularizers(model)) else []
        begin(self.seed, REGULARIZER)
        return model

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Iterate over epochs, or over batches within them, and show how far training is.

        Before each item scheduled rates move on (`dropover.advance`), and torch, numpy and random begin a stream that
        all arms of the seed share: the order in which a `DataLoader` shuffles, which it draws at the start of an epoch,
        is the same for each of them.

        Args:
            items: What to iterate over; loops may be nested.
            total: How many there are, where `items` has no length.

        Raises:
            ValueError: there are scheduled rates, and it isn't known how many items there are.
        """
        count = len(items) if total is None and isinstance(items, Sized) else total
        if count is None and self._scheduled:
            raise ValueError("track must know how many items there are to move scheduled rates along: give it total=")
        yield from self._walk(items, count, tracked=True)

    def _walk(self, items: Iterable[T], count: int | None, tracked: bool = False) -> Iterator[T]:
        """Iterate from where a killed run had come to; each item begins a stream of its own if it is `tracked`."""
        name = self._loops.name
        loop = self._loops.enter(count, kept=isinstance(items, Sequence | Loader))
        iterator = None
        keepable = self._resuming is not None and loop.kept
        try:
            loop.index = self._resuming.start() if self._resuming is not None else 0
            with self.checkpoints.occasions() if keepable else nullcontext():
                while True:
                    self._loops.return_to(loop)
                    if tracked:
                        self._move()
                        begin(self.seed, f"{name} item {loop.index}")
                    if self._resuming is not None:
                        self._resuming.pause()
                    if iterator is None and isinstance(items, Loader):
                        iterator = items.since(loop.index, generator(self.seed, f"{items.name} {name} {loop.ordinal}"))
                    elif iterator is None:
                        iterator = islice(items, loop.index, None)
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                    yield item
                    loop.index += 1
        finally:
            self._loops.leave(loop)

    def log(self, step: float, /, **values: float) -> None:
        """Keep figures of a step, such as an epoch, for curves: `trial.log(epoch, train_loss=0.3)`.

        Raises:
            TypeError, ValueError: a step or value that is no number.
        """
        step = validation.number("step", step, -math.inf)
        for name, value in values.items():
            self._logged[name, step] = as_number(name, value)
        self._shown |= {name: self._logged[name, step] for name in values}
        self._tell()

    def progress(self, done: float, **shown: float) -> None:
        """Tell how far training is, a share in [0, 1], and figures to show beside it: for callbacks of other loops.

        `track` does it by itself.
        """
        self._shown |= shown
        self._done = min(max(done, 0.0), 1.0)
        self._tell()

    def share(self, name: str) -> None:
        """Have torch, numpy and random draw from the stream of that name from here on, the same for all arms.

        For the start of an epoch in loops of others; `track` does it by itself.
        """
        begin(self.seed, name)

    def tell_rest(self) -> None:
        """Tell what was logged and not told yet: of a function that fails there are no rows to hold it."""
        if self._told < len(self._logged):
            self._reported = -math.inf
            self._tell()

    def say(self, line: str) -> None:
        """Tell the user a line, above the bars."""
        self._report(TrialProgress(0.0, *self._stage, line))

    @property
    def _stage(self) -> tuple[float | None, str]:
        """What is shown beside the bar: the lab's own training has an accuracy, others have what they have logged."""
        if self.study.trial is None:
            return self._shown.get("accuracy"), "training"
        return None, ", ".join(["training", *(f"{name} {value:.4g}" for name, value in self._shown.items())])

    @property
    def rows(self) -> list[Row]:
        """What was logged, in that order; of a step and name the last."""
        return [Row(name, step, value) for (name, step), value in self._logged.items()]

    def _move(self) -> None:
        """Move schedules and the bar to where the loops are."""
        done = self._loops.done
        for model in self._scheduled:
            advance(model, done)
        self.progress(done)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self._report(TrialProgress(self._done, *self._stage, logged=self._news))

    @property
    def _news(self) -> tuple[Row, ...]:
        """What was logged since it was told last; of a trial that goes on where it was killed all that it has logged.

        A figure that replaces one of the same step is not told again.
        """
        news = tuple(Row(name, step, value) for (name, step), value in islice(self._logged.items(), self._told, None))
        self._told = len(self._logged)
        return news
