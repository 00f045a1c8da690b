"""Trials to results: in parallel processes, each trial kept as soon as it is finished."""

import time
from collections import deque
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dropover.lab.records.checkpoints import Pace, checkpoint_path
from dropover.lab.records.failures import forget_failure, write_failure
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import Finished, table_of, write_table, write_trial
from dropover.lab.records.trials import Place
from dropover.lab.running.calling import run_trial
from dropover.lab.running.events import Ended, Failed, Listener, Moved, Noted, Returned, Started
from dropover.lab.running.heartbeat import Heartbeat
from dropover.lab.running.here import in_this_process
from dropover.lab.running.starting import OUTPUT, size
from dropover.lab.running.worker import TrialFunction
from dropover.lab.running.workers import in_workers
from dropover.lab.study import Study
from dropover.lab.user_code import is_handed_over

EVERY = 5.0
"""Seconds between two writings of results.csv, which has a row for each value of every trial."""

Events = Generator[Started | Moved | Failed | Returned]


@dataclass
class StudyRun:
    """What the run of a study has brought, whole or not.

    Of the finished trials an earlier run had those `reused`; `stop` is what stopped it before its end, if anything did,
    and `printed` the file with what its trials printed, if they did.
    """

    total: int
    finished: list[Finished]
    reused: int
    failed: list[Failed] = field(default_factory=list)
    stop: KeyboardInterrupt | None = None
    printed: Path | None = None
    seconds: float = 0.0


def run_study(
    study: Study,
    folder: Path,
    jobs: int,
    listener: Listener = lambda _: None,
    trial: TrialFunction | None = None,
    store: Path | None = None,
    among: Collection[Place] | None = None,
    time_is_up: Callable[[], bool] = lambda: False,
    retry_failed: bool = False,
) -> StudyRun:
    """Run every trial of a study that is not there yet, in `jobs` processes of one thread each.

    Each trial is written when it ends; results.csv now and then, and at the end, however that comes. Ctrl-C stops the
    workers and returns what is finished, with `stop` set; running again takes those trials over. A trial that fails, or
    whose process dies, is kept too and listed in `failed`, and the others go on; a later run lists it again and doesn't
    try it, unless what it failed by is no property of the trial. What trials print goes to a file of the folder.

    Args:
        study: What to run.
        folder: Where results.csv goes, and the trials with it; made if missing.
        jobs: Number of worker processes, at least 1; they take turns on the study's devices.
        listener: Called in this process with every event.
        trial: The function that runs one trial, importable by the workers.
        store: Where trials are kept that several studies share, instead of in `folder`.
        among: Run these of the study's trials alone.
        time_is_up: Asked before a trial is begun; from then on none is, and those that run come to their end.
        retry_failed: Whether trials are tried again that failed in an earlier run.
    """
    store = folder if store is None else store
    started = time.perf_counter()
    stock = take_stock(store, study, among, retry_failed)
    total = len(study.arms) * len(study.seeds) if among is None else len(among)
    run = StudyRun(total, list(stock.finished), len(stock.finished))
    heartbeat = Heartbeat(study, folder, total, listener)
    listener = heartbeat.hear
    for line in stock.notes:
        listener(Noted(line))
    for finished in stock.finished:
        listener(Ended(finished, reused=True))
    for key, reason in stock.failed:
        run.failed.append(Failed(key, reason, earlier=True))
        listener(run.failed[-1])
    table = _Table(run, study, folder / "results.csv")
    table.write()
    before = size(folder / OUTPUT)
    trial = trial or partial(run_trial, results=store, pace=Pace())
    waiting = deque(stock.missing)
    if study.trial is not None and is_handed_over(study.trial.function):
        events: Events = in_this_process(waiting, study, trial, folder, listener, time_is_up)
    else:
        events = in_workers(waiting, study, trial, folder, jobs, time_is_up)
    with heartbeat:
        try:
            for event in events:
                if isinstance(event, Returned):
                    ended = stock.with_twins(_keep_results(store, study, event))
                    run.finished += ended
                    table.write_now_and_then()
                    for finished in ended:
                        listener(Ended(finished, reused=False))
                elif isinstance(event, Failed):
                    _keep_failure(store, study, event)
                    for one in (event.trial, *stock.twins[event.trial.fingerprint]):
                        run.failed.append(replace(event, trial=one))
                        listener(run.failed[-1])
                else:
                    listener(event)
        except KeyboardInterrupt as stop:
            run.stop = stop
            heartbeat.ended = "stopped"
        finally:
            events.close()
            table.write_what_is_new()
            run.seconds = time.perf_counter() - started
    run.printed = _printed(folder / OUTPUT, before)
    return run


def _keep_results(store: Path, study: Study, event: Returned) -> Finished:
    """Write a trial's results, in place of what was kept while there were none."""
    finished = write_trial(store, study, event.trial, event.rows, event.seconds)
    forget_failure(store, event.trial)
    checkpoint_path(event.trial, store).unlink(missing_ok=True)
    return finished


def _keep_failure(store: Path, study: Study, event: Failed) -> None:
    """Write why a trial failed, unless it is no fault of its own and it is tried again, from its checkpoint."""
    if event.passing:
        forget_failure(store, event.trial)
    else:
        write_failure(store, study, event.trial, event.reason)
        checkpoint_path(event.trial, store).unlink(missing_ok=True)


class _Table:
    """results.csv, written seldom enough that all its writings together are a small part of a run's time."""

    def __init__(self, run: StudyRun, study: Study, path: Path) -> None:
        self._run, self._study, self._path = run, study, path
        self._rows_of = -1
        self._next = 0.0

    def write(self) -> None:
        began = time.monotonic()
        write_table(table_of(self._run.finished, self._study), self._path)
        self._rows_of = len(self._run.finished)
        now = time.monotonic()
        self._next = now + max(EVERY, 20 * (now - began))

    def write_now_and_then(self) -> None:
        if time.monotonic() >= self._next:
            self.write()

    def write_what_is_new(self) -> None:
        if len(self._run.finished) > self._rows_of:
            self.write()


def _printed(output: Path, before: int) -> Path | None:
    """The file of what trials printed, if it has grown since it had `before` bytes; an empty one goes."""
    after = size(output)
    if not after:
        output.unlink(missing_ok=True)
    return output if after > before else None
