"""A search: arms proposed and tried with one seed, then a race in which those that may be best get more.

All of it follows from what lies in the folder: the journal of proposals and the trials' own files. So a search that was
killed goes on where it was, and loses at most the trials that ran.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dropover.lab.judging.measures import measure_of
from dropover.lab.records.labels import labelled
from dropover.lab.records.store import table_of
from dropover.lab.records.trials import Place
from dropover.lab.running.engines import Engine
from dropover.lab.running.events import Ended, Event, Failed, Noted
from dropover.lab.running.runner import PROCESSES, StudyRun, run_study
from dropover.lab.searching import race
from dropover.lab.searching.budget import Budget
from dropover.lab.searching.objectives import Objective, Scores, scores_of
from dropover.lab.searching.settings import SearchError, SearchStudy
from dropover.lab.study import Study

if TYPE_CHECKING:  # without Optuna, what a search has found can still be told
    from dropover.lab.searching.proposing import Proposer

_EACH = 2
"""How many arms are proposed at a time for each trial that runs at a time: all are waited for before the next."""
_LEAST = 2
"""With how many seeds an arm may win."""
_STALE = 30
"""How many proposals in a row that were tried before say that there are no others."""


@dataclass
class Found:
    """What a search has come to.

    Attributes:
        study: The study of all arms that were tried, and the seeds that some of them got.
        objectives: What they were tried for.
        run: Their trials.
        scores: What these came to at the objectives, more being better.
        chosen: What was chosen for each arm, by its label.
        raced: The seeds that those have which came furthest in the race.
        winners: The front of these, by their means; the arm without a method has no part in it.
    """

    study: Study
    objectives: list[Objective]
    run: StudyRun
    scores: Scores = field(default_factory=dict)
    chosen: dict[str, dict[str, object]] = field(default_factory=dict)
    raced: list[int] = field(default_factory=list)
    winners: list[str] = field(default_factory=list)


class Search:
    """One search in its folder; see `run`.

    Args:
        plan: What is searched, tried out.
        proposer: Where arms come from.
        objectives: What they are tried for.
        budget: How much may be spent.
        folder: Where the trials are kept.
        jobs: How many run at a time.
        engine: What runs them.
        tell: Is told in lines how it goes.
        retry_failed: Whether trials are tried again that failed in an earlier run.
    """

    def __init__(
        self,
        plan: SearchStudy,
        proposer: "Proposer",
        objectives: list[Objective],
        budget: Budget,
        folder: Path,
        jobs: int,
        engine: Engine = PROCESSES,
        tell: Callable[[str], object] = lambda _line: None,
        retry_failed: bool = False,
    ) -> None:
        self._search, self._proposer, self._objectives = plan.search, proposer, objectives
        self._budget, self._folder, self._jobs = budget, folder, jobs
        self._engine, self._tell, self._retry = engine, tell, retry_failed
        study = plan.searched
        first = study.seeds[0]
        self._seeds = [first + more for more in range(plan.search.seeds)]
        self._none = study.arms[0]
        self._base = study.model_copy(update={"seeds": self._seeds})
        self._places: dict[Place, None] = {}
        self._told: set[Place] = set()
        self._lines: set[str] = set()
        self._failed: dict[Place, Failed] = {}
        self._began = time.monotonic()
        self.found = Found(self._base, objectives, StudyRun(0, [], 0))

    def run(self) -> Found:
        """Search until the budget is spent, or Ctrl-C; then `found.run.stop` is set.

        Raises:
            SearchError: the arm without a method failed, or an objective was not measured.
            SpaceError: nothing that is proposed can be tried.
        """
        # The arm without a method has all seeds: it tells how large the noise is.
        self._try(self._none.label, self._seeds)
        self._check_none()
        for step in (self._explore, self._race):
            if self.found.run.stop is None:
                step()
        self._judge()
        return self.found

    def _explore(self) -> None:
        """Propose arms, a few at a time, and try each with the first seed."""
        first, stale = self._seeds[0], 0
        self._places |= dict.fromkeys((arm.label, first) for arm in self._proposer.arms)
        self._try_all(())
        self._take_over()
        while self.found.run.stop is None:
            left = self._budget.to_explore(self._spent({first}), self._seconds)
            if not left:
                return
            batch = dict.fromkeys(self._proposer.open)
            while len(batch) < min(_EACH * self._jobs, left) and stale < _STALE:
                label = self._proposer.ask().label
                stale = 0 if label not in batch and (label, first) not in self._places else stale + 1
                batch[label] = None
                self._take_over()
            if stale == _STALE:
                self._tell(f"{_STALE} proposals in a row were tried before: the space is exhausted")
                return
            self._try_all((label, first) for label in batch)
            self._take_over()

    def _take_over(self) -> None:
        """Tell what open proposals came to, of what is known."""
        first = self._seeds[0]
        for label in self._proposer.open:
            if (label, first) in self._ended():
                self._proposer.tell(label, self.found.scores.get(label, {}).get(first))

    def _race(self) -> None:
        """Give a seed after the other to those that may be best, fewer each time as the budget says."""
        for lap in range(1, len(self._seeds)):
            arms = [arm.label for arm in self._proposer.arms]
            able = race.able(self.found.scores, arms, self._none.label, self._seeds, lap)
            spent = self._spent(set(self._seeds[1:]))
            left = self._budget.to_race(spent, self._seconds) + sum(
                (label, self._seeds[lap]) in self._ended() for label in able
            )
            chosen = able[: race.runners(left, len(self._seeds) - lap)]
            if not chosen or self.found.run.stop is not None:
                return
            self._try_all((label, self._seeds[lap]) for label in chosen)

    def _judge(self) -> None:
        """The front of those that have most seeds, as means over them."""
        scores, none = self.found.scores, self._none.label
        rows = {arm.label: scores.get(arm.label, {}) for arm in self._proposer.arms}
        most = max((len(row) for row in rows.values()), default=0)
        self.found.chosen = dict(self._proposer.chosen())
        if self.found.run.stop is not None:
            return
        if most < _LEAST:
            reasons = [failed.reason for (label, _), failed in self._failed.items() if label != none]
            every = f"Every arm that was tried has failed: {reasons[0]}" if reasons and not most else ""
            self._tell(every or f"No arm got {_LEAST} seeds: none can be told from a lucky one")
            return
        raced = [label for label, row in rows.items() if row and len(row) == most]
        self.found.raced = self._seeds[:most]
        values = race.means(scores, [*raced, none], self.found.raced) if raced and none in scores else {}
        self.found.winners = [label for label in race.front(values) if label != none]

    def _check_none(self) -> None:
        none, run = self._none.label, self.found.run
        if run.stop is not None or none in self.found.scores:
            return
        if not run.finished and not self._failed:
            raise SearchError("search.time: was up before the arm without a method was trained: give it more")
        if not run.finished:
            reasons = [failed.reason for failed in self._failed.values()]
            raise SearchError(f"the arm without a method failed, so that nothing can be compared: {reasons[0]}")
        there = dict.fromkeys(row.measure for done in run.finished for row in done.rows if row.level is None)
        words = ", ".join(each.words for each in self._objectives)
        raise SearchError(f"search.objectives: no trial measures all of {words}: returned were {', '.join(there)}")

    def _try(self, label: str, seeds: Iterable[int]) -> None:
        self._try_all((label, seed) for seed in seeds)

    def _try_all(self, places: Iterable[Place]) -> None:
        """Run these trials, or take them over, and read what all so far have come to."""
        self._places |= dict.fromkeys(places)
        among = [place for place in self._places if place not in self._failed]
        labels = {label for label, _ in self._places}
        arms = [self._none, *(arm for arm in self._proposer.arms if arm.label in labels)]
        study = self._base.model_copy(update={"arms": arms})
        run = run_study(
            study,
            self._folder,
            self._jobs,
            partial(self._hear, study),
            among=among,
            time_is_up=lambda: self._budget.is_over(self._seconds),
            retry_failed=self._retry,
            engine=self._engine,
        )
        self._failed |= {(failed.trial.arm.label, failed.trial.seed): failed for failed in run.failed}
        run = replace(run, total=len(self._places), failed=list(self._failed.values()))
        self.found.study, self.found.run = study, run
        self.found.scores = scores_of(labelled(table_of(run.finished, study)), study, self._objectives)

    def _hear(self, study: Study, event: Event) -> None:
        """Tell of each trial once, and of what is noted."""
        match event:
            case Noted(line) if line not in self._lines:
                self._lines.add(line)
                self._tell(line)
            case Ended(finished, reused):
                key = (finished.trial.arm.label, finished.trial.seed)
                if key not in self._told and not reused:
                    table = labelled(table_of([finished], study))
                    self._say(key, scores_of(table, study, self._objectives).get(key[0], {}).get(key[1]))
                self._told.add(key)
            case Failed(trial, reason, earlier=False):
                self._tell(f"{self._count()} {trial.label}: failed: {reason}")
                self._told.add((trial.arm.label, trial.seed))

    def _say(self, place: Place, gains: tuple[float, ...] | None) -> None:
        figures = [
            f"{each.words}: {measure_of(self._base, each.label).value(each.gain(gain))}"
            for each, gain in zip(self._objectives, gains or (), strict=False)
        ]
        self._tell(f"{self._count()} {place[0]}, seed {place[1]}: {', '.join(figures) or 'not measured'}")

    def _count(self) -> str:
        """How many trials there are with the one that is being told."""
        most = f"/{self._budget.trials}" * (self._budget.trials is not None)
        return f"[{len(self._told) + 1}{most}]"

    def _ended(self) -> set[Place]:
        finished = {(done.trial.arm.label, done.trial.seed) for done in self.found.run.finished}
        return finished | set(self._failed)

    def _spent(self, seeds: set[int]) -> int:
        return sum(seed in seeds for _, seed in self._ended())

    @property
    def _seconds(self) -> float:
        """What was spent: the trials' own time, those of earlier runs too, or what has gone by since, if it is more."""
        trained = sum(done.seconds for done in self.found.run.finished) / self._jobs
        return max(trained, time.monotonic() - self._began)
