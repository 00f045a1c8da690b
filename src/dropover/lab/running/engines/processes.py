"""Trials in worker processes, each with a pipe of its own."""

import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from dropover.lab.devices import groups
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

GRACE = 5.0
"""Seconds that workers have to keep what they train when a run is stopped."""


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
        for device, *_ in groups(work.study.device, work.study.devices_per_trial)
    }
    # Begun together with the first worker it would let stops through again, and they would end what workers come of.
    resource_tracker.ensure_running()
    workers: list[_Worker] = []

    def make_worker() -> _Worker:
        device = min(pickled, key=lambda device: sum(worker.device == device for worker in workers))
        return _Worker(pickled[device], work.folder, device)

    try:
        yield from _work_off(work.queue, work.jobs, workers, make_worker)
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C ends the waiting
            _let_leave(workers)
        with stops_held():
            for worker in workers:
                worker.stop()


def _let_leave(workers: list["_Worker"]) -> None:
    """Have workers keep what they have trained, as far as it can be kept, and wait a little until they have."""
    for worker in workers:
        worker.ask_to_leave()
    there = {worker.sentinel for worker in workers}
    until = time.monotonic() + GRACE
    while there and (left := until - time.monotonic()) > 0:
        there.difference_update(wait(there, left))


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
        context = _context()
        self.connection, theirs = context.Pipe()
        asked, self._wish = context.Pipe(duplex=False)
        self.device = device
        self._output = folder / OUTPUT
        self._process = context.Process(target=begin, args=(work, theirs, asked, folder, dict(os.environ)), daemon=True)
        self._process.start()
        theirs.close()
        asked.close()
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

    @property
    def sentinel(self) -> int:
        """What is ready when the process has ended."""
        return self._process.sentinel

    def ask_to_leave(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone
            self._wish.send(None)

    def stop(self) -> None:
        """End the process at once: whatever it holds is either written already or to be done again."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._wish.close()
        self._process.close()


@functools.cache
def _context() -> SpawnContext | ForkServerContext:
    """How processes are made: where it is known to be safe, of one that has imported torch once for all of them.

    And its compiler, which torch's optimizers import when the first one is made.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Nothing of ours or the user's, which a worker reads as it is when it begins.
    context.set_forkserver_preload(["torch", "torch._dynamo"])
    return context


def _is_killed(exitcode: int | None) -> bool:
    return exitcode is not None and exitcode == -getattr(signal, "SIGKILL", 9)


def _cause(exitcode: int | None) -> str:
    if _is_killed(exitcode):
        return "killed, most likely for want of memory: try fewer --jobs"
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode}"
    return f"exit code {exitcode}"
