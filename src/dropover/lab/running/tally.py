"""How far a run is: how many of its trials have ended, how far the others are, and the time left."""

import time
from dataclasses import dataclass, field

from dropover.lab.running.events import Ended, Event, Failed, Moved, Started

_ENOUGH = 0.05
"""The share of a trial's work that must be done before it can be told how long the rest takes."""


@dataclass
class Tally:
    """Counts of a run of `total` trials, kept up to date by `count`.

    Of those that ended an earlier run had finished `reused`, and `failed_before` failed in one. `moving` are the trials
    that run, by label, and how far they are, a share of their work.
    """

    total: int
    ended: int = 0
    failed: int = 0
    reused: int = 0
    failed_before: int = 0
    moving: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def count(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Started(trial):
                self.moving[trial.label] = 0.0
            case Moved(trial, progress):
                self.moving[trial.label] = progress.done
            case Ended(finished, reused):
                self._end(finished.trial.label)
                self.reused += reused
            case Failed(trial):
                self._end(trial.label)
                self.failed += 1
                self.failed_before += event.earlier

    def _end(self, label: str) -> None:
        self.ended += 1
        self.moving.pop(label, None)

    @property
    def done(self) -> float:
        """How many trials' work is done, parts of one too."""
        return self.ended + sum(self.moving.values())

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float | None:
        """Seconds, by the share of this run's own work that is done; None where that is too little to tell."""
        there = self.reused + self.failed_before
        done = self.done - there
        return None if done < _ENOUGH else self.gone / done * (self.total - there - done)
