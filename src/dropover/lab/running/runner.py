"""Trials to results: in parallel processes, each trial kept as soon as it is finished."""

import os
import platform
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dropover.lab.records.checkpoints import Pace, checkpoint_path
from dropover.lab.records.failures import forget_failure, read_failure, write_failure
from dropover.lab.records.files import DamagedError
from dropover.lab.records.stock import Stock, take_stock
from dropover.lab.records.store import Finished, read_trial, table_of, write_table, write_trial
from dropover.lab.records.trials import Place, TrialKey
from dropover.lab.running.calling import run_trial
from dropover.lab.running.claims import Claims
from dropover.lab.running.engines import Engine, Work
from dropover.lab.running.engines.here import InThisProcess
from dropover.lab.running.engines.processes import InProcesses
from dropover.lab.running.events import Ended, Failed, Listener, Moved, Noted, Returned, Started
from dropover.lab.running.heartbeat import Heartbeat, beats
from dropover.lab.running.queue import Queue
from dropover.lab.running.starting import OUTPUT, size
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Study
from dropover.lab.user_code import is_handed_over

EVERY = 5.0
"""Seconds between two writings of results.csv, which has a row for each value of every trial."""

PROCESSES = InProcesses()
"""What runs trials unless told otherwise."""


@dataclass
class StudyRun:
    """What the run of a study has brought, whole or not.

    Of the finished trials an earlier run had those `reused`; `stop` is what stopped it before its end, if anything did,
    `under_way` how many others were kept then as far as they had come, and `printed` the file with what its trials
    printed, if they did. `engine` is what the engine is called.
    """

    total: int
    finished: list[Finished]
    reused: int
    failed: list[Failed] = field(default_factory=list)
    stop: KeyboardInterrupt | None = None
    under_way: int = 0
    printed: Path | None = None
    seconds: float = 0.0
    engine: str = InProcesses.name


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
    engine: Engine = PROCESSES,
) -> StudyRun:
    """Run every trial of a study that is not there yet, `jobs` at a time, each with one thread.

    Each trial is written when it ends; results.csv now and then, and at the end, however that comes. Ctrl-C has the
    workers keep what they train, stops them and returns what is finished, with `stop` set; running again takes those
    trials over. A trial that fails, or whose process dies, is kept too and listed in `failed`, and the others go on; a
    later run lists it again and doesn't try it, unless what it failed by is no property of the trial. What trials print
    goes to a file of the folder.

    Of several runs on one store each trial is run by one alone, and taken over by the others.

    Args:
        study: What to run.
        folder: Where results.csv goes, and the trials with it; made if missing.
        jobs: How many trials run at a time, at least 1.
        listener: Called in this process with every event.
        trial: The function that runs one trial, importable by the workers.
        store: Where trials are kept that several studies share, instead of in `folder`.
        among: Run these of the study's trials alone.
        time_is_up: Asked before a trial is begun; from then on none is, and those that run come to their end.
        retry_failed: Whether trials are tried again that failed in an earlier run.
        engine: What runs them. A function that was handed over runs in this process, whatever it is.
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
    before = size(folder / OUTPUT)
    # Workers elsewhere have another current directory.
    trial = trial or partial(run_trial, results=store.absolute(), pace=Pace())
    if study.trial is not None and is_handed_over(study.trial.function):
        engine = InThisProcess(listener)
    run.engine = engine.name
    with heartbeat, Claims(store / "trials") as claims:
        keeper = _Keeper(run, study, stock, store, _Table(run, study, folder / "results.csv"), listener)
        queue = Queue(
            stock.missing,
            claims,
            ended=partial(keeper.take_over, failed_too=not retry_failed),
            refused=lambda: listener(Noted(_shared(folder))),
            time_is_up=time_is_up,
        )
        events = engine(Work(queue, study, trial, folder, jobs))
        try:
            for event in events:
                keeper.keep(event)
                if isinstance(event, Returned | Failed):
                    claims.drop(event.trial)
        except KeyboardInterrupt as stop:
            run.stop = stop
            heartbeat.ended = "stopped"
        finally:
            events.close()
            keeper.table.write_what_is_new()
            run.seconds = time.perf_counter() - started
    if run.stop is not None:
        run.under_way = sum(checkpoint_path(key, store).exists() for key in stock.missing)
    run.printed = _printed(folder / OUTPUT, before)
    return run


class _Keeper:
    """Writes down what trials bring, here or in another run on the same store, and tells of it."""

    def __init__(
        self, run: StudyRun, study: Study, stock: Stock, store: Path, table: "_Table", listener: Listener
    ) -> None:
        self._run, self._study, self._stock, self._store = run, study, stock, store
        self.table, self._listener = table, listener
        table.write()

    def keep(self, event: Started | Moved | Failed | Returned) -> None:
        """Take an engine's event in."""
        if isinstance(event, Returned):
            self._end(_keep_results(self._store, self._study, event), reused=False)
            self.table.write_now_and_then()
        elif isinstance(event, Failed):
            _keep_failure(self._store, self._study, event)
            self._fail(event)
        else:
            self._listener(event)

    def take_over(self, trial: TrialKey, *, failed_too: bool) -> bool:
        """Take over what another run has brought of a trial since this one began; False if there is nothing.

        That it failed there counts if it is not to be tried again.
        """
        try:
            finished = read_trial(self._store, trial)
            reason = read_failure(self._store, trial) if finished is None and failed_too else None
        except DamagedError:
            return False
        if finished is not None:
            self._end(finished, reused=True)
        elif reason is not None:
            self._fail(Failed(trial, reason, earlier=True))
        return finished is not None or reason is not None

    def _end(self, finished: Finished, *, reused: bool) -> None:
        ended = self._stock.with_twins(finished)
        self._run.finished += ended
        self._run.reused += len(ended) * reused
        for one in ended:
            self._listener(Ended(one, reused))

    def _fail(self, event: Failed) -> None:
        for one in (event.trial, *self._stock.twins[event.trial.fingerprint]):
            self._run.failed.append(replace(event, trial=one))
            self._listener(self._run.failed[-1])


def _keep_results(store: Path, study: Study, event: Returned) -> Finished:
    """Write a trial's results, in place of what was kept while there were none."""
    finished = write_trial(store, study, event.trial, event.rows, event.seconds, event.ran_in)
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


def _shared(folder: Path) -> str:
    """That trials are shared with other runs, and with which."""
    here = (platform.node(), os.getpid())
    others = [beat for beat in beats(folder) if beat.standing == "running" and (beat.host, beat.process) != here]
    who = ", ".join(f"process {beat.process} on {beat.host}" for beat in others) or "another run"
    return f"Shared with {who}: each trial is run once, and what ends there is taken over here"


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
