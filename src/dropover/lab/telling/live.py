"""What is seen while a study runs: how many trials are done, what each trial came to, the time left."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import TaskID

from dropover.lab.growing import Round
from dropover.lab.judging.measures import first_figure
from dropover.lab.running.events import Ended, Event, Failed, Listener, Moved, Noted, Started
from dropover.lab.running.tally import Tally
from dropover.lab.study import Study
from dropover.lab.telling.terminal import bars, clock, say

RETRY = "--retry-failed (in Python retry_failed=True)"


@contextmanager
def live(study: Study, jobs: int, asked: Round | None = None, *, on: str = "") -> Iterator[Listener]:
    """Show a run's events as they come: bars on a terminal, else one plain line for each trial that ends.

    The run is of the whole study, or of what a look at it has asked for; it is in processes of this machine, or `on`
    what is named.
    """
    processes = f"{jobs} at a time on {on}" if on else f"{jobs} process{'es' if jobs > 1 else ''}"
    view = _View(study, processes, asked)
    try:
        with view.bars:
            yield view.see
    finally:
        tally = view.tally
        if tally.reused:
            view.say(f"{tally.reused} of {tally.total} trials were finished by an earlier run and are taken over.")
        if tally.failed_before == 1:
            view.say(f"1 trial failed in an earlier run and is not tried again: {RETRY} tries it")
        elif tally.failed_before:
            trials = f"{tally.failed_before} trials failed in an earlier run"
            view.say(f"{trials} and are not tried again: {RETRY} tries them")


class View(Protocol):
    """What shows how far a run is; see `live`."""

    def __call__(self, study: Study, jobs: int, asked: Round | None = None, /) -> AbstractContextManager[Listener]:
        """What listens while a study, or what a look at it has asked for, runs so many trials at a time."""


@contextmanager
def unseen(_study: Study, _jobs: int, _asked: Round | None = None) -> Iterator[Listener]:
    """Show nothing."""
    yield lambda _event: None


class _View:
    def __init__(self, study: Study, processes: str, asked: Round | None) -> None:
        console = Console()
        self._study = study
        total = asked.trials if asked else len(study.arms) * len(study.seeds)
        self.tally = Tally(total)
        self._told: set[str] = set()
        self._tasks: dict[str, TaskID] = {}
        self.bars = bars(console)
        self.say(_head(study, processes, asked, f"{total} trial{'s' if total > 1 else ''}"))
        self._overall = self.bars.add_task("trials", total=total, detail=f"0/{total}")

    def see(self, event: Event) -> None:
        """Show one event."""
        self.tally.count(event)
        match event:
            case Started(trial):
                self._tasks[trial.label] = self.bars.add_task(trial.label, total=1.0, detail="starting")
            case Moved(trial, progress):
                if progress.notice and progress.notice not in self._told:
                    self._told.add(progress.notice)  # trials that find the same say it once
                    self.say(progress.notice)
                accuracy = "" if progress.accuracy is None else f", {100 * progress.accuracy:.1f} %"
                task, detail = self._tasks[trial.label], f"{progress.stage}{accuracy}"
                self.bars.update(task, completed=progress.done, detail=detail)
            case Ended(_, reused=True) | Failed(earlier=True):
                pass
            case Ended(finished):
                figure = first_figure(self._study, finished.trial, finished.rows)
                self._end(finished.trial.label, f"{f': {figure}' if figure else ''}, {finished.seconds:.0f} s")
            case Failed(trial, reason):
                self._end(trial.label, f": failed: {reason}")
            case Noted(line):
                self.say(line)
        self.bars.update(self._overall, completed=self.tally.done, detail=self._detail())

    def _end(self, label: str, text: str) -> None:
        if label in self._tasks:
            self.bars.remove_task(self._tasks.pop(label))
        self.say(f"[{self.tally.ended}/{self.tally.total}] {label}{text}")

    def say(self, line: str) -> None:
        say(line, wrap=False, console=self.bars.console)

    def _detail(self) -> str:
        """How many trials have ended, and the time."""
        text = f"{self.tally.ended}/{self.tally.total}, {clock(self.tally.gone)} gone"
        return text if self.tally.left is None else f"{text}, about {clock(self.tally.left)} left"


def _head(study: Study, processes: str, asked: Round | None, trials: str) -> str:
    if asked is None:
        return f"{study.name}: {len(study.arms)} arms × {len(study.seeds)} seeds = {trials}, {processes}"
    look = f"Look {asked.number} of {asked.planned} needs {asked.seeds} seeds of {', '.join(asked.arms)}"
    return f"{look}: {trials}, {processes}; after it at most {asked.later} more"
