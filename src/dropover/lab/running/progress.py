"""How far a trial is, as a worker tells it."""

from dataclasses import dataclass

from dropover.lab.records.rows import Row


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial is: share of its work done, last known test accuracy, what it is doing; a line for the user.

    `logged` is what it has logged since it told this last, in the form of its results.
    """

    done: float
    accuracy: float | None
    stage: str
    notice: str = ""
    logged: tuple[Row, ...] = ()
