"""What is seen while a study runs: how many trials are done, each running trial's accuracy, the time left."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from dropover.lab.running.runner import Ended, Event, Failed, Moved, Noted, Started
from dropover.lab.study import Study


class Live:
    """Shows a run's events: bars on a terminal, else one plain line for each trial that ends. Use it with `with`."""

    def __init__(self, console: Console, study: Study, jobs: int) -> None:
        self._console = console
        self._total = len(study.arms) * len(study.seeds)
        self._ended = 0
        self._reused = 0
        self._clock = time.perf_counter
        self._started = self._clock()
        self._moving: dict[str, float] = {}
        self._worked = 0
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            _Detail(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        count = f"{self._total} trial{'s' if self._total > 1 else ''}"
        processes = f"{jobs} process{'es' if jobs > 1 else ''}"
        self._say(f"{study.name}: {len(study.arms)} arms × {len(study.seeds)} seeds = {count}, {processes}")
        self._overall = self._bars.add_task("trials", total=self._total, detail=f"0/{self._total}")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()
        if self._reused:
            self._say(f"{self._reused} of {self._total} trials were finished by an earlier run and are taken over.")

    def see(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started(trial):
                self._moving[trial.label] = 0.0
                self._tasks[trial.label] = self._bars.add_task(trial.label, total=1.0, detail="starting")
            case Moved(trial, progress):
                if progress.notice:
                    self._say(progress.notice)
                self._moving[trial.label] = progress.done
                accuracy = "" if progress.accuracy is None else f", {100 * progress.accuracy:.1f} %"
                self._bars.update(
                    self._tasks[trial.label], completed=progress.done, detail=f"{progress.stage}{accuracy}"
                )
            case Ended(finished, reused):
                if reused:
                    self._ended, self._reused = self._ended + 1, self._reused + 1
                else:
                    clean = next((row.value for row in finished.rows if row.measure == "clean"), None)
                    shown = "" if clean is None else f": clean {100 * clean:.1f} %"
                    self._end(finished.trial.label, f"{shown}, {finished.seconds:.0f} s")
            case Failed(trial, reason):
                self._end(trial.label, f": failed: {reason}")
            case Noted(line):
                self._say(line)
        left = self._time_left()
        self._bars.update(
            self._overall,
            completed=self._ended + sum(self._moving.values()),
            detail=f"{self._ended}/{self._total}, {_clock_text(self._clock() - self._started)} gone"
            + ("" if left is None else f", about {_clock_text(left)} left"),
        )

    def _end(self, label: str, text: str) -> None:
        self._ended, self._worked = self._ended + 1, self._worked + 1
        self._moving.pop(label, None)
        task = self._tasks.pop(label, None)
        if task is not None:
            self._bars.remove_task(task)
        self._say(f"[{self._ended}/{self._total}] {label}{text}")

    def _say(self, line: str) -> None:
        # Labels may hold brackets, which rich would read as markup.
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _time_left(self) -> float | None:
        """Seconds left, from the share of this run's own work that is done; None while that is too little to tell."""
        done = self._worked + sum(self._moving.values())
        if done < 0.05:
            return None
        to_do = self._total - self._reused - done
        return (self._clock() - self._started) / done * to_do


class _Detail(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(str(task.fields["detail"]))


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
