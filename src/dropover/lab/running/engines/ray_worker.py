"""What a Ray task does: one trial, as a local worker runs it, on a machine that may have little of the driver's."""

import contextlib
import functools
import multiprocessing.spawn
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropover.lab.blame import one_line
from dropover.lab.process import settle
from dropover.lab.records.rows import Row
from dropover.lab.records.store import circumstances_here
from dropover.lab.running.passing import is_passing
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.starting import OUTPUT, print_to
from dropover.lab.running.worker import Died

MAIN = "__main__"
_EVERY = 0.25
"""Seconds between two messages of a trial about how far it is."""


@dataclass(frozen=True)
class Surroundings:
    """What a local worker inherits: the current directory, where modules are found, the program, the results' folder.

    What of it isn't on a worker's machine is left out there. `main` is the program's file where trials need it.
    """

    directory: str
    path: tuple[str, ...]
    folder: str
    main: str | None


@dataclass(frozen=True)
class Brought:
    """What a trial brought, and the circumstances of the machine that it ran on."""

    rows: Sequence[Row]
    seconds: float
    ran_in: Mapping[str, Any]


@dataclass(frozen=True)
class Broken:
    """What is sent instead where the trial raised, with its traceback for the driver's log."""

    died: Died
    traceback: str


def run(surroundings: Surroundings, work: bytes, trial: bytes, tell: Callable[[TrialProgress | None], None]) -> bytes:
    """Run a trial, and give pickled what it brought, or how it broke.

    Args:
        surroundings: Of the driver.
        work: The pickled study and trial function, as all trials of a run have them.
        trial: The pickled arm and seed.
        tell: Called with None when the trial begins, and then with how far it is.
    """
    tell(None)
    told = 0.0

    def report(progress: TrialProgress) -> None:
        nonlocal told
        now = time.monotonic()
        if progress.notice or now - told >= _EVERY:
            told = now
            tell(progress)

    outcome: Brought | Broken
    try:
        _prepare(surroundings)
        study, function = pickle.loads(work)  # noqa: S301 - the driver's own
        arm, seed = pickle.loads(trial)  # noqa: S301
        started = time.perf_counter()
        with _printing_to(Path(surroundings.folder, OUTPUT)):
            rows = list(function(study, arm, seed, report))
        outcome = Brought(rows, time.perf_counter() - started, circumstances_here(study))
    # Whatever goes wrong in one trial, even code that wants to end the program: Ray would take it for its own.
    except BaseException as error:
        died = Died(one_line(error), is_passing(error))
        outcome = Broken(died, "".join(traceback.format_exception(error)))
    return pickle.dumps(outcome)


@contextlib.contextmanager
def _printing_to(output: Path) -> Iterator[None]:
    """Send what is printed inside to a file that the driver has made. Where it isn't seen, Ray's log keeps it.

    Between trials Ray itself prints what its log is to be read by.
    """
    if not output.exists():
        yield
        return
    before = [os.dup(descriptor) for descriptor in (1, 2)]
    print_to(output)
    try:
        yield
    finally:
        for stream, descriptor, own in zip((sys.stdout, sys.stderr), (1, 2), before, strict=True):
            stream.flush()
            os.dup2(own, descriptor)
            os.close(own)


@functools.lru_cache(maxsize=1)
def _prepare(surroundings: Surroundings) -> None:
    """Make this process as far as possible what a local worker would be. Ray's own of another run are never reused."""
    settle()
    # Ray's own handler raises, which would be the trial's failure; a worker that is gone is no fault of its trial.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    with contextlib.suppress(OSError):
        os.chdir(surroundings.directory)
    sys.path += [each for each in surroundings.path if each not in sys.path]
    if surroundings.main is not None:
        program = Path(surroundings.main)
        sent = next((Path(each, program.name) for each in sys.path if Path(each, program.name).is_file()), program)
        main = program if program.is_file() else sent
        multiprocessing.spawn.prepare({"init_main_from_path": str(main)})
