"""What is seen while a study runs: how many trials are done, what each trial came to, the time left."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from dropover.lab.growing import Round
from dropover.lab.judging.measures import first_figure
from dropover.lab.running.events import Ended, Event, Failed, Listener, Moved, Noted, Started
from dropover.lab.study import Study
from dropover.lab.telling.terminal import say


@contextmanager
def live(study: Study, jobs: int, asked: Round | None = None) -> Iterator[Listener]:
    """Show a run's events as they come: bars on a terminal, else one plain line for each trial that ends.

    The run is of the whole study, or of what a look at it has asked for.
    """
    view = _View(study, jobs, asked)
    try:
        with view.bars:
            yield view.see
    finally:
        if view.reused:
            view.say(f"{view.reused} of {view.total} trials were finished by an earlier run and are taken over.")
        if view.failed == 1:
            view.say("1 trial failed in an earlier run and is not tried again: --retry-failed tries it")
        elif view.failed:
            view.say(
                f"{view.failed} trials failed in an earlier run and are not tried again: --retry-failed tries them"
            )


class View(Protocol):
    """What shows how far a run is; see `live`."""

    def __call__(self, study: Study, jobs: int, asked: Round | None = None, /) -> AbstractContextManager[Listener]:
        """What listens while a study, or what a look at it has asked for, runs in so many processes."""


@contextmanager
def unseen(_study: Study, _jobs: int, _asked: Round | None = None) -> Iterator[Listener]:
    """Show nothing."""
    yield lambda _event: None


class _View:
    def __init__(self, study: Study, jobs: int, asked: Round | None) -> None:
        console = Console()
        self._study = study
        self.total = asked.trials if asked else len(study.arms) * len(study.seeds)
        self.reused = 0
        self.failed = 0
        self._ended = 0
        self._started = time.perf_counter()
        self._moving: dict[str, float] = {}
        self._told: set[str] = set()
        self._tasks: dict[str, TaskID] = {}
        self.bars = Progress(
            # Labels may hold brackets, which rich would read as markup.
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.say(_head(study, jobs, asked, f"{self.total} trial{'s' if self.total > 1 else ''}"))
        self._overall = self.bars.add_task("trials", total=self.total, detail=f"0/{self.total}")

    def see(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started(trial):
                self._moving[trial.label] = 0.0
                self._tasks[trial.label] = self.bars.add_task(trial.label, total=1.0, detail="starting")
            case Moved(trial, progress):
                if progress.notice and progress.notice not in self._told:
                    self._told.add(progress.notice)  # trials that find the same say it once
                    self.say(progress.notice)
                self._moving[trial.label] = progress.done
                accuracy = "" if progress.accuracy is None else f", {100 * progress.accuracy:.1f} %"
                task, detail = self._tasks[trial.label], f"{progress.stage}{accuracy}"
                self.bars.update(task, completed=progress.done, detail=detail)
            case Ended(_, reused=True):
                self._ended, self.reused = self._ended + 1, self.reused + 1
            case Ended(finished):
                figure = first_figure(self._study, finished.trial, finished.rows)
                self._end(finished.trial.label, f"{f': {figure}' if figure else ''}, {finished.seconds:.0f} s")
            case Failed(earlier=True):
                self._ended, self.failed = self._ended + 1, self.failed + 1
            case Failed(trial, reason):
                self._end(trial.label, f": failed: {reason}")
            case Noted(line):
                self.say(line)
        self.bars.update(self._overall, completed=self._ended + sum(self._moving.values()), detail=self._detail())

    def _end(self, label: str, text: str) -> None:
        self._ended += 1
        self._moving.pop(label, None)
        if label in self._tasks:
            self.bars.remove_task(self._tasks.pop(label))
        self.say(f"[{self._ended}/{self.total}] {label}{text}")

    def say(self, line: str) -> None:
        say(line, wrap=False, console=self.bars.console)

    def _detail(self) -> str:
        """How many trials have ended, and the time: what is left by the share of this run's own work that is done."""
        gone = time.perf_counter() - self._started
        there = self.reused + self.failed
        done = self._ended - there + sum(self._moving.values())
        text = f"{self._ended}/{self.total}, {_clock(gone)} gone"
        # Less is too little to tell.
        return text if done < 0.05 else f"{text}, about {_clock(gone / done * (self.total - there - done))} left"


def _head(study: Study, jobs: int, asked: Round | None, trials: str) -> str:
    processes = f"{jobs} process{'es' if jobs > 1 else ''}"
    if asked is None:
        return f"{study.name}: {len(study.arms)} arms × {len(study.seeds)} seeds = {trials}, {processes}"
    look = f"Look {asked.number} of {asked.planned} needs {asked.seeds} seeds of {', '.join(asked.arms)}"
    return f"{look}: {trials}, {processes}; after it at most {asked.later} more"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
