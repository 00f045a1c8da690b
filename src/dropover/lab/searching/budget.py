"""How much a search may cost, in trainings or in time, and which part of it is for what."""

import sys
from dataclasses import dataclass

from dropover.lab.searching.settings import SearchSettings


@dataclass(frozen=True)
class Budget:
    """A budget in trainings or in seconds, of which a share is kept for the race; the other is None.

    Attributes:
        trials: The most trainings.
        seconds: The most seconds.
        race: The share of the race.
    """

    trials: int | None
    seconds: float | None
    race: float

    def to_explore(self, spent: int, seconds: float) -> int:
        """How many more arms may be tried for the first time, after so many and so much time."""
        if self.trials is not None:
            return max(0, self.trials - self._for_the_race - spent)
        assert self.seconds is not None
        return sys.maxsize if seconds < self.seconds * (1 - self.race) else 0

    def to_race(self, spent: int, seconds: float) -> int:
        """How many more seeds may be given, after so many."""
        if self.trials is not None:
            return max(0, self._for_the_race - spent)
        return 0 if self.is_over(seconds) else sys.maxsize

    def is_over(self, seconds: float) -> bool:
        """Whether no training may be begun any more."""
        return self.seconds is not None and seconds >= self.seconds

    @property
    def _for_the_race(self) -> int:
        assert self.trials is not None
        return round(self.trials * self.race)


def budget_of(search: SearchSettings, methods: int) -> Budget:
    """The budget of a search.

    Raises:
        ValueError: it is too small for a trial of every method, and for the noise to be known.
    """
    budget = Budget(search.trials, search.seconds, search.race)
    if search.trials is not None:
        for trials in range(search.trials, sys.maxsize):
            asked = Budget(trials, None, search.race)
            if asked.to_explore(0, 0) > methods and asked.to_race(0, 0) >= search.seeds:
                break
        if trials > search.trials:
            raise ValueError(
                f"must be at least {trials} for one trial of each of {methods} methods, one without, and a race of "
                f"{search.seeds} seeds with {100 * search.race:g} % of it, got {search.trials}"
            )
    return budget
