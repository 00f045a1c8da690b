"""Trials to results: in parallel processes, each trial kept as soon as it is finished."""

import contextlib
import multiprocessing
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from dropover.lab.devices import slots
from dropover.lab.records.fingerprints import surroundings
from dropover.lab.records.rows import Row
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import Finished, table_of, write_table, write_trial
from dropover.lab.records.trials import Place, Trial
from dropover.lab.running.guard import Guarded
from dropover.lab.running.starting import OUTPUT, begin
from dropover.lab.running.stopping import stops_held
from dropover.lab.running.trial import TrialProgress, run_trial
from dropover.lab.running.worker import Died, TrialFunction
from dropover.lab.study import Study


@dataclass(frozen=True)
class Started:
    """A worker has taken up the trial."""

    trial: Trial


@dataclass(frozen=True)
class Moved:
    """A running trial tells how far it is."""

    trial: Trial
    progress: TrialProgress


@dataclass(frozen=True)
class Ended:
    """A trial has its results: computed now, or (`reused`) by an earlier run."""

    finished: Finished
    reused: bool


@dataclass(frozen=True)
class Failed:
    """A trial came to nothing; `reason` is one line."""

    trial: Trial
    reason: str


@dataclass(frozen=True)
class Noted:
    """Something about the results that are there already, in one line: why a trial runs again, a file set aside."""

    line: str


Event = Started | Moved | Ended | Failed | Noted
Listener = Callable[[Event], None]


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
    trial: TrialFunction = run_trial,
    store: Path | None = None,
    among: Collection[Place] | None = None,
    time_is_up: Callable[[], bool] = lambda: False,
) -> StudyRun:
    """Run every trial of a study that is not there yet, in `jobs` processes of one thread each.

    Each trial is written when it ends, and results.csv with it. Ctrl-C stops the workers and returns what is
    finished, with `stop` set; running again takes those trials over. A trial that fails, or whose process dies,
    is listed in `failed` and the others go on. What trials print goes to a file of the folder.

    Args:
        study: What to run.
        folder: Where results.csv goes, and the trials with it; made if missing.
        jobs: Number of worker processes, at least 1; they take turns on the study's devices.
        listener: Called in this process with every event.
        trial: The function that runs one trial, importable by the workers.
        store: Where trials are kept that several studies share, instead of in `folder`.
        among: Run these of the study's trials alone.
        time_is_up: Asked before a trial is begun; from then on none is, and those that run come to their end.
    """
    store = folder if store is None else store
    started = time.perf_counter()
    stock = take_stock(store, study, among)
    total = len(study.arms) * len(study.seeds) if among is None else len(among)
    run = StudyRun(total, list(stock.finished), len(stock.finished))
    for line in stock.notes:
        listener(Noted(line))
    for finished in stock.finished:
        listener(Ended(finished, reused=True))
    guarded = Guarded(trial, surroundings(study))
    work = {
        str(device): pickle.dumps((study.model_copy(update={"device": str(device)}), guarded))
        for device in slots(study.device)
    }
    write_table(table_of(run.finished, study), folder / "results.csv")
    workers: list[_Worker] = []
    before = _size(folder / OUTPUT)

    def make_worker() -> _Worker:
        device = min(work, key=lambda device: sum(worker.device == device for worker in workers))
        return _Worker(work[device], folder, device)

    try:
        for event in _work_off(deque(stock.missing), jobs, workers, make_worker, time_is_up):
            if isinstance(event, _Returned):
                ended = stock.with_twins(write_trial(store, study, event.trial, event.rows, event.seconds))
                run.finished += ended
                write_table(table_of(run.finished, study), folder / "results.csv")
                for finished in ended:
                    listener(Ended(finished, reused=False))
            elif isinstance(event, Failed):
                for one in (event.trial, *stock.twins[event.trial.fingerprint]):
                    run.failed.append(Failed(one, event.reason))
                    listener(run.failed[-1])
            else:
                listener(event)
    except KeyboardInterrupt as stop:
        run.stop = stop
    finally:
        with stops_held():
            for worker in workers:
                worker.stop()
        run.seconds = time.perf_counter() - started
    run.printed = _printed(folder / OUTPUT, before)
    return run


def _printed(output: Path, before: int) -> Path | None:
    """The file of what trials printed, if it has grown since it had `before` bytes; an empty one goes."""
    size = _size(output)
    if not size:
        output.unlink(missing_ok=True)
    return output if size > before else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@dataclass(frozen=True)
class _Returned:
    trial: Trial
    rows: Sequence[Row]
    seconds: float


def _work_off(
    waiting: deque[Trial],
    jobs: int,
    workers: list["_Worker"],
    make_worker: Callable[[], "_Worker"],
    time_is_up: Callable[[], bool],
) -> Iterator[Started | Moved | Failed | _Returned]:
    """Keep up to `jobs` workers busy until nothing waits; `workers` always lists the living ones, for the caller."""
    while waiting or workers:
        if waiting and time_is_up():
            waiting.clear()
        while len(workers) < jobs and sum(worker.current is None for worker in workers) < len(waiting):
            with stops_held():  # or one that has begun would be in no list, and go on
                workers.append(make_worker())
        for worker in [worker for worker in workers if worker.current is None]:
            if waiting:
                yield worker.give(waiting.popleft())
            else:
                workers.remove(worker)
                worker.stop()
        if not workers:
            return
        ready = wait([worker.connection for worker in workers])
        for worker in [worker for worker in workers if worker.connection in ready]:
            yield worker.receive()
            if worker.gone:
                workers.remove(worker)
                worker.stop()


class _Worker:
    """One process with a device of its own, if there are enough, and the pipe to it.

    A pipe for each process, rather than a pool with one queue, tells whose process died: a pool that loses one of its
    processes to the memory killer gives up all that it was running.
    """

    def __init__(self, work: bytes, folder: Path, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.device = device
        self._output = folder / OUTPUT
        self._process = context.Process(target=begin, args=(work, theirs, folder), daemon=True)
        self._process.start()
        theirs.close()
        self.current: Trial | None = None
        self.gone = False

    def give(self, trial: Trial) -> Started:
        self.current = trial
        # A process that has just died is noticed when its end of the pipe is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((trial.arm, trial.seed))
        return Started(trial)

    def receive(self) -> Moved | Failed | _Returned:
        trial = self.current
        assert trial is not None
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.gone = True
            self._process.join()
            printed = f"; what it printed is in {self._output}" if _size(self._output) else ""
            return Failed(trial, f"its process died ({_cause(self._process.exitcode)}){printed}")
        if isinstance(message, TrialProgress):
            return Moved(trial, message)
        self.current = None
        if isinstance(message, Died):
            return Failed(trial, message.reason)
        rows, seconds = message
        return _Returned(trial, rows, seconds)

    def stop(self) -> None:
        """End the process at once: whatever it holds is either written already or to be done again."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._process.close()


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode == -getattr(signal, "SIGKILL", 9):
        return "killed, most likely for want of memory: try fewer --jobs"
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"
