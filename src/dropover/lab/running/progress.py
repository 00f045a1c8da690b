"""How far a trial is, as a worker tells it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial is: share of its work done, last known test accuracy, what it is doing; a line for the user."""

    done: float
    accuracy: float | None
    stage: str
    notice: str = ""
