"""What is told while the trials of a study run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dropover.lab.records.rows import Row
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.progress import TrialProgress


@dataclass(frozen=True)
class Started:
    """A worker has taken up the trial."""

    trial: TrialKey


@dataclass(frozen=True)
class Moved:
    """A running trial tells how far it is."""

    trial: TrialKey
    progress: TrialProgress


@dataclass(frozen=True)
class Ended:
    """A trial has its results: computed now, or (`reused`) by an earlier run."""

    finished: Finished
    reused: bool


@dataclass(frozen=True)
class Failed:
    """A trial came to nothing; `reason` is one line.

    Of what is `passing` the trial itself is no cause, so that it is tried again by itself. One that is `earlier` failed
    in an earlier run, and was not tried again.
    """

    trial: TrialKey
    reason: str
    passing: bool = False
    earlier: bool = False


@dataclass(frozen=True)
class Noted:
    """Something about the results that are there already, in one line: why a trial runs again, a file set aside."""

    line: str


Event = Started | Moved | Ended | Failed | Noted
Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Returned:
    """A trial has come to its end; what it brought is not written yet.

    `ran_in` are the circumstances of the machine that it ran on, where that isn't this one.
    """

    trial: TrialKey
    rows: Sequence[Row]
    seconds: float
    ran_in: Mapping[str, Any] | None = None
