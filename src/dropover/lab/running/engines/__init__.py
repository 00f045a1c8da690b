"""Engines: what takes trials from a queue and runs them somewhere, a file each."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dropover.lab.running.events import Failed, Moved, Returned, Started
from dropover.lab.running.queue import Queue
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Study

Events = Generator[Started | Moved | Failed | Returned]


class EngineError(ValueError):
    """An engine that can't be had, or was lost: what, where and what to do, in a line."""


@dataclass(frozen=True)
class Work:
    """What an engine is given: the trials that wait, the function that runs one, and the results' folder.

    At most `jobs` of them run at a time.
    """

    queue: Queue
    study: Study
    trial: TrialFunction
    folder: Path
    jobs: int


class Engine(Protocol):
    """What runs trials."""

    @property
    def name(self) -> str:
        """What it is called, in a study's circumstances."""

    def __call__(self, work: Work, /) -> Events:
        """Run what the queue gives until it is empty; none runs any more when the iteration ends, however it does.

        Of each trial `Started` comes first, and `Returned` or `Failed` last. A trial whose process was lost has failed
        by what is `passing`.

        Raises:
            EngineError: what runs the trials was lost as a whole.
        """
