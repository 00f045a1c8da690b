"""The trials of a run that wait for their turn, and those of them that another run on the same folder takes."""

from collections import deque
from collections.abc import Callable, Iterable

from dropover.lab.records.trials import TrialKey
from dropover.lab.running.claims import Claims

ELSEWHERE = 1.0
"""Seconds after which it is asked again whether a trial that runs elsewhere has ended."""


class Queue:
    """What waits, in order. A trial that is claimed elsewhere waits until it has ended there, or is free again.

    Args:
        trials: What is to be run.
        claims: What tells runs on the same folder apart.
        ended: Asked about a trial that has just been claimed: whether it has ended elsewhere since, and was taken over.
        refused: Called once, when first a trial is claimed elsewhere.
        time_is_up: Asked before a trial is given out; from then on none is.
    """

    def __init__(
        self,
        trials: Iterable[TrialKey],
        claims: Claims,
        ended: Callable[[TrialKey], bool] = lambda _trial: False,
        refused: Callable[[], object] = lambda: None,
        time_is_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._waiting = deque(trials)
        self._claims, self._ended, self._refused, self._time_is_up = claims, ended, refused, time_is_up
        self._was_refused = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether the time is up: what was given out and hasn't begun yet isn't to begin."""
        return self._time_is_up()

    def take(self) -> TrialKey | None:
        """The next trial that is to be run; None if there is none, or if all that wait run elsewhere: ask later."""
        for _ in range(len(self._waiting)):
            if self._time_is_up():
                self._waiting.clear()
                return None
            trial = self._waiting.popleft()
            if not self._claims.take(trial):
                self._waiting.append(trial)
                if not self._was_refused:
                    self._was_refused = True
                    self._refused()
            elif self._ended(trial):
                self._claims.drop(trial)
            else:
                return trial
        return None
