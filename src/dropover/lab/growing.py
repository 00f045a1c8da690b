"""A study that grows until it is decided: before each look, seeds are added to the arms that are still open.

The looks are planned beforehand and each spends its part of alpha, so that the verdicts hold whenever it ends. An arm
is open as long as it is undecided at any of the measures that count; the reference grows with the open arms.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import counts, places, values_at
from dropover.lab.judging.deciding import Decision, Values, decide
from dropover.lab.judging.looks import Look, Progress, follow, plan, squared
from dropover.lab.judging.measures import fitted
from dropover.lab.records.labels import labelled
from dropover.lab.records.store import table_of
from dropover.lab.records.trials import Place
from dropover.lab.running.engines import Engine
from dropover.lab.running.events import Ended, Event, Failed, Listener, Noted
from dropover.lab.running.runner import PROCESSES, StudyRun, run_study
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Study

Measure = tuple[str, float | None]
"""A measure's label and its level."""


@dataclass(frozen=True)
class Limits:
    """How far a study may grow: the most seeds of an arm, and the seconds after which no trial is begun."""

    seeds: int
    seconds: float | None = None


@dataclass(frozen=True)
class Round:
    """The trials that a look asks for, about to be run or taken over."""

    number: int
    """Of the look, from 1."""
    planned: int
    """How many looks there may be."""
    seeds: int
    """How many of the seeds the look needs of each arm that gets some."""
    arms: tuple[str, ...]
    """Which arms get seeds: the reference and those that are open."""
    trials: int
    later: int
    """How many trials may follow after these, at most."""


@dataclass
class Growth:
    """How far a study has grown, and what its looks have said.

    Attributes:
        study: The study; its seeds are all that it may get, in the order in which it gets them.
        looks: When it is looked at.
        seeds: How many of the seeds were asked for of each arm, finished or not.
        run: What came of all trials so far.
        progress: What the looks say, for every column of the study's table.
        broken: Whether every trial of the latest look failed: more seeds would fare no better.
    """

    study: Study
    looks: list[Look]
    seeds: dict[str, int] = field(default_factory=dict)
    run: StudyRun = field(default_factory=lambda: StudyRun(0, [], 0))
    progress: dict[Measure, Progress] = field(default_factory=dict)
    broken: bool = False

    @property
    def given(self) -> Study:
        """The study with the seeds that trials ended of; with those of the first look before there are any."""
        ended = {seed for _, seed in _ended(self.run)}
        seeds = [seed for seed in self.study.seeds if seed in ended] or self.study.seeds[: self.looks[0].seeds]
        return self.study.model_copy(update={"seeds": seeds})

    @property
    def finished(self) -> dict[str, int]:
        """Of how many seeds each arm has results."""
        labels = [done.trial.arm.label for done in self.run.finished]
        return {arm.label: labels.count(arm.label) for arm in self.study.arms}

    def judge(self, label: str, values: Values) -> Decision:
        """The verdicts at any measure, by its label and its value of every arm and seed; they hold over all looks."""
        return _followed(self, label, values).decision

    @property
    def counting(self) -> dict[Measure, Progress]:
        """The measures that decide whether an arm needs seeds: all but single attacks."""
        return {place: progress for place, progress in self.progress.items() if counts(self.study, place[0])}

    @property
    def seen(self) -> int:
        """How many looks there were."""
        return max((progress.seen for progress in self.counting.values()), default=0)

    @property
    def spent(self) -> float:
        """How much of alpha the looks so far have spent, at each measure."""
        return squared(self.looks[self.seen - 1].seeds / self.looks[-1].seeds, st.ALPHA) if self.seen else 0.0

    @property
    def needed(self) -> dict[str, int]:
        """With how many seeds the next look wants which arms; empty if there is none to come."""
        wanted: dict[str, int] = {}
        for progress in self.counting.values():
            wanted |= {arm: max(seeds, wanted.get(arm, 0)) for arm, seeds in progress.needed.items()}
        return wanted

    @property
    def undecided(self) -> dict[str, list[Measure]]:
        """The arms that are undecided, and where."""
        where: dict[str, list[Measure]] = {}
        for measure, progress in self.counting.items():
            for comparison in progress.decision.of("undecided"):
                where.setdefault(comparison.arm, []).append(measure)
        return where

    @property
    def standing(self) -> str:
        """Which arms are decided, and where the others are not, in words."""
        if not self.seen:
            return f"Nothing is decided yet: the first look is at {self.looks[0].seeds} seeds."
        open_arms = [f"{arm} ({', '.join(map(_named, where))})" for arm, where in self.undecided.items()]
        decided = [arm.label for arm in self.study.arms if arm.label not in {*self.undecided, self.study.reference}]
        parts = [("Decided at every measure", decided, ", "), ("Undecided", open_arms, "; ")]
        look = f"After look {self.seen} of {len(self.looks)}, at {self.looks[self.seen - 1].seeds} seeds. "
        return look + " ".join(f"{title}: {joint.join(arms)}." for title, arms, joint in parts if arms)

    @property
    def ending(self) -> str:
        """Why no seeds are added any more, in words."""
        if self.seen and not self.undecided:
            return "Every arm is decided."
        if self.run.stop is not None:
            return "It was stopped before every arm was decided."
        if len(self.run.finished) + len(self.run.failed) < self.run.total:
            return "The time was up before every arm was decided."
        if self.seen == len(self.looks):
            return f"It ended with {self.looks[-1].seeds} seeds, the most it was to have."
        if self.broken:
            return "Every trial of the latest look failed: no more are tried."
        return "An arm that failed in every seed gets no more."

    @property
    def price(self) -> str:
        """What the looks cost, in words."""
        most = self.looks[-1].seeds
        if not self.seen:
            return f"No look was reached, of up to {most} seeds."
        at = ", ".join(str(look.seeds) for look in self.looks[: self.seen])
        chance = f"{100 * st.ALPHA:g} %"
        return (
            f"A measure's chance of a false alarm is {chance} over all looks: those at {at} of up to {most} seeds have "
            f"spent {100 * self.spent:.2g} of these {chance}, and verdicts hold over all of them."
        )


def _named(measure: Measure) -> str:
    label, level = measure
    return label if level is None else f"{label} at {level:g}"


def grow(
    study: Study,
    folder: Path,
    jobs: int,
    most_seeds: int,
    budget: float | None,
    watched: Callable[[Growth, Round], AbstractContextManager[Listener]],
    trial: TrialFunction | None = None,
    retry_failed: bool = False,
    engine: Engine = PROCESSES,
) -> Growth:
    """Run a study look by look, until every arm is decided, or the seeds or the time are used up.

    The seeds are the study's own and then the lowest numbers that are not among them. Trials that are there already are
    taken over, so that a study that was stopped goes on from the same looks. A trial that fails is not waited for; an
    arm that fails in every seed of the first look gets no more.

    Args:
        study: What to run; it has another arm than the reference.
        folder: Where results go; see `run_study`.
        jobs: How many trials run at a time.
        most_seeds: With how many seeds the last look is, at least as many as the study has.
        budget: After how many seconds no trial is begun any more; None for as long as it takes.
        watched: Called before each look's trials, with what was said so far; gives what listens to them.
        trial: The function that runs one trial.
        retry_failed: Whether trials are tried again, once, that failed in an earlier run.
        engine: What runs them.
    """
    others = (seed for seed in count() if seed not in study.seeds)
    order = [*study.seeds, *islice(others, most_seeds - len(study.seeds))]
    growth = Growth(study.model_copy(update={"seeds": order}), plan(most_seeds, len(study.arms) - 1))
    until = math.inf if budget is None else time.monotonic() + budget
    wanted = {arm.label: growth.looks[0].seeds for arm in study.arms}
    said: set[str] = set()
    try:
        while wanted:
            before = _ended(growth.run)
            growth.seeds |= {arm: max(seeds, growth.seeds.get(arm, 0)) for arm, seeds in wanted.items()}
            places = {(arm, seed) for arm, seeds in growth.seeds.items() for seed in order[:seeds]}
            among = places - {(failed.trial.arm.label, failed.trial.seed) for failed in growth.run.failed}
            with watched(growth, _round(growth, wanted, len(places - before))) as listener:
                heard = _news(listener, before, said)
                run = run_study(
                    growth.study,
                    folder,
                    jobs,
                    heard,
                    trial,
                    among=among,
                    time_is_up=lambda: time.monotonic() >= until,
                    retry_failed=retry_failed,
                    engine=engine,
                )
            growth.broken = bool(run.failed) and len(run.finished) <= len(growth.run.finished)
            growth.run = _together(growth.run, run, len(places))
            growth.progress = _progress(growth)
            goes_on = _ended(growth.run) >= places and run.stop is None and not growth.broken
            wanted = growth.needed if goes_on else {}
    except KeyboardInterrupt as stop:
        if not growth.run.total:  # nothing came of it yet
            raise
        growth.run.stop = stop
    return growth


def _round(growth: Growth, wanted: Mapping[str, int], trials: int) -> Round:
    seeds = max(wanted.values())
    arms = tuple(arm.label for arm in growth.study.arms if arm.label in wanted)
    later = (growth.looks[-1].seeds - seeds) * len(arms)
    return Round(growth.seen + 1, len(growth.looks), seeds, arms, trials, later)


def _ended(run: StudyRun) -> set[Place]:
    """The trials that need no more waiting for: finished or failed."""
    trials = [*(done.trial for done in run.finished), *(failed.trial for failed in run.failed)]
    return {(trial.arm.label, trial.seed) for trial in trials}


def _news(listener: Listener, before: Collection[Place], said: set[str]) -> Listener:
    """What a look's run tells, without what was told before an earlier look: each look takes stock anew."""

    def hear(event: Event) -> None:
        match event:
            case Ended(finished, reused=True) if (finished.trial.arm.label, finished.trial.seed) in before:
                return
            case Noted(line) if line in said:
                return
            case Noted(line):
                said.add(line)
        listener(event)

    return hear


def _together(before: StudyRun, run: StudyRun, total: int) -> StudyRun:
    """All looks' runs as one; a run has the finished trials of those before it too."""
    failed: list[Failed] = [*before.failed, *run.failed]
    reused = before.reused + run.reused - len(before.finished)
    return replace(
        run,
        total=total,
        reused=reused,
        failed=failed,
        printed=run.printed or before.printed,
        seconds=before.seconds + run.seconds,
    )


def _progress(growth: Growth) -> dict[Measure, Progress]:
    """What the looks say so far, column by column."""
    table = labelled(table_of(growth.run.finished, growth.study))
    values = {place: values_at(table, growth.study, *place) for place in places(table, growth.study)}
    followed = [(place, there_are) for place, there_are in values.items() if any(there_are.values())]
    return {place: _followed(growth, place[0], there_are) for place, there_are in followed}


def _followed(growth: Growth, label: str, there_are: Values) -> Progress:
    """The looks at one measure. An arm that failed throughout the first look has no part, and is said to have no value.

    Its trials would be asked for at every look, and the reference's with them.
    """
    study, reference, enough = growth.study, growth.study.reference, growth.looks[0].seeds
    # What a look has decided must not turn as the reference's mean, of which a margin may be a part, moves.
    measure = fitted(study, label, there_are, study.seeds[:enough])
    margin, scale, higher = measure.margin or 0.0, measure.scale, measure.higher_is_better
    values: dict[str, dict[int, float]] = {arm.label: {} for arm in study.arms}
    for arm, seed in _ended(growth.run):
        values[arm][seed] = math.nan
    for arm, row in there_are.items():
        values[arm] |= row
    lost = {arm: row for arm, row in values.items() if len(row) >= enough and not any(map(math.isfinite, row.values()))}
    if reference in lost:
        return Progress(decide(values, reference, margin), 1, len(growth.looks), {})
    there = {arm: row for arm, row in values.items() if arm not in lost}
    progress = follow(there, reference, margin, growth.looks, study.seeds, higher_is_better=higher, scale=scale)
    if not lost:
        return progress
    silent = decide({reference: there[reference], **lost}, reference, margin).comparisons
    place = list(values).index
    every = sorted((*progress.decision.comparisons, *silent), key=lambda comparison: place(comparison.arm))
    return replace(progress, decision=replace(progress.decision, comparisons=tuple(every)))
