"""Trials in worker processes, each with a pipe of its own."""

import contextlib
import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import wait
from pathlib import Path

from dropover.lab.devices import groups
from dropover.lab.records.fingerprints import surroundings
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.events import Failed, Moved, Returned, Started
from dropover.lab.running.guard import Guarded
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.starting import OUTPUT, begin, size
from dropover.lab.running.stopping import stops_held
from dropover.lab.running.worker import Died, TrialFunction
from dropover.lab.study import Study


def in_workers(
    waiting: deque[TrialKey],
    study: Study,
    trial: TrialFunction,
    folder: Path,
    jobs: int,
    time_is_up: Callable[[], bool],
) -> Generator[Started | Moved | Failed | Returned]:
    """Run the waiting trials in up to `jobs` processes; none is left when the iteration ends, however it does.

    The processes take turns on the study's devices. What they print goes to a file of the folder.
    """
    guarded = Guarded(trial, surroundings(study))
    work = {
        str(device): pickle.dumps((study.model_copy(update={"device": str(device)}), guarded))
        for device, *_ in groups(study.device, study.devices_per_trial)
    }
    workers: list[_Worker] = []

    def make_worker() -> _Worker:
        device = min(work, key=lambda device: sum(worker.device == device for worker in workers))
        return _Worker(work[device], folder, device)

    try:
        yield from _work_off(waiting, jobs, workers, make_worker, time_is_up)
    finally:
        with stops_held():
            for worker in workers:
                worker.stop()


def _work_off(
    waiting: deque[TrialKey],
    jobs: int,
    workers: list["_Worker"],
    make_worker: Callable[[], "_Worker"],
    time_is_up: Callable[[], bool],
) -> Iterator[Started | Moved | Failed | Returned]:
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
        self.current: TrialKey | None = None
        self.gone = False

    def give(self, trial: TrialKey) -> Started:
        self.current = trial
        # A process that has just died is noticed when its end of the pipe is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((trial.arm, trial.seed))
        return Started(trial)

    def receive(self) -> Moved | Failed | Returned:
        trial = self.current
        assert trial is not None
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.gone = True
            self._process.join()
            printed = f"; what it printed is in {self._output}" if size(self._output) else ""
            code = self._process.exitcode
            return Failed(trial, f"its process died ({_cause(code)}){printed}", passing=_is_killed(code))
        if isinstance(message, TrialProgress):
            return Moved(trial, message)
        self.current = None
        if isinstance(message, Died):
            return Failed(trial, message.reason, message.passing)
        rows, seconds = message
        return Returned(trial, rows, seconds)

    def stop(self) -> None:
        """End the process at once: whatever it holds is either written already or to be done again."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._process.close()


def _is_killed(exitcode: int | None) -> bool:
    return exitcode is not None and exitcode == -getattr(signal, "SIGKILL", 9)


def _cause(exitcode: int | None) -> str:
    if _is_killed(exitcode):
        return "killed, most likely for want of memory: try fewer --jobs"
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"
