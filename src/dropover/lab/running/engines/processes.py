"""Trials in worker processes, each with a pipe of its own."""

import contextlib
import multiprocessing
import pickle
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path

from dropover.lab.devices import slots
from dropover.lab.records.fingerprints import surroundings
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.engines import Events, Work
from dropover.lab.running.events import Failed, Moved, Returned, Started
from dropover.lab.running.guard import Guarded
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.queue import ELSEWHERE, Queue
from dropover.lab.running.starting import OUTPUT, begin, size
from dropover.lab.running.stopping import stops_held
from dropover.lab.running.worker import Died


class InProcesses:
    """Runs trials in processes of this machine, which take turns on the study's devices.

    What they print goes to a file of the folder.
    """

    name = "local"

    def __call__(self, work: Work) -> Events:
        """Run what the queue gives; see `Engine`."""
        return _in_processes(work)


def _in_processes(work: Work) -> Events:
    guarded = Guarded(work.trial, surroundings(work.study))
    pickled = {
        str(device): pickle.dumps((work.study.model_copy(update={"device": str(device)}), guarded))
        for device in slots(work.study.device)
    }
    workers: list[_Worker] = []

    def make_worker() -> _Worker:
        device = min(pickled, key=lambda device: sum(worker.device == device for worker in workers))
        return _Worker(pickled[device], work.folder, device)

    try:
        yield from _work_off(work.queue, work.jobs, workers, make_worker)
    finally:
        with stops_held():
            for worker in workers:
                worker.stop()


def _work_off(queue: Queue, jobs: int, workers: list["_Worker"], make_worker: Callable[[], "_Worker"]) -> Events:
    """Keep up to `jobs` workers busy until nothing waits; `workers` always lists the living ones, for the caller."""
    while queue or workers:
        idle = [worker for worker in workers if worker.current is None]
        while len(workers) - len(idle) < jobs and (trial := queue.take()) is not None:
            if not idle:
                with stops_held():  # or one that has begun would be in no list, and go on
                    workers.append(make_worker())
                idle = workers[-1:]
            yield idle.pop().give(trial)
        if not queue:
            for worker in idle:
                workers.remove(worker)
                worker.stop()
        busy = [worker for worker in workers if worker.current is not None]
        # While a worker could take what runs elsewhere, it is looked after now and then.
        later = ELSEWHERE if queue and len(busy) < jobs else None
        if not busy and later:
            time.sleep(later)
        ready = wait([worker.connection for worker in busy], later) if busy else []
        for worker in [worker for worker in busy if worker.connection in ready]:
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
