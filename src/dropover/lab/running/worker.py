"""The other side of the runner: what a worker process does once it has begun. It imports only what a trial needs."""

import contextlib
import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from dropover.lab.blame import logged, one_line
from dropover.lab.records.rows import Row
from dropover.lab.running.passing import is_passing
from dropover.lab.running.progress import TrialProgress
from dropover.lab.study import Arm, Study

# Numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


TrialFunction = Callable[[Study, Arm, int, Callable[[TrialProgress], None]], Sequence[Row]]
"""What runs one trial and gives its rows: `run_trial`, or another importable function of its shape."""


@dataclass(frozen=True)
class Died:
    """What a worker sends instead of rows when its trial raised: why, in one line, and where the traceback is.

    Of what is `passing` the trial itself is no cause.
    """

    reason: str
    passing: bool


def serve(study: Study, trial: TrialFunction, connection: Connection, folder: Path) -> None:
    """A worker's life: trials come in through the pipe, progress and rows go out, until the pipe closes.

    Tracebacks go to the log of `folder`.
    """
    settle()
    # The parent's end closes when it goes, however it goes.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            arm, seed = connection.recv()
            started = time.perf_counter()
            try:
                rows = list(trial(study, arm, seed, connection.send))
            except (BrokenPipeError, ConnectionResetError):
                raise
            # Whatever goes wrong in one trial, even code that wants to end the program, the others go on.
            except BaseException as error:
                reason = one_line(error) + logged(error, f"{arm.label}, seed {seed}", folder)
                connection.send(Died(reason, is_passing(error)))
            else:
                connection.send((rows, time.perf_counter() - started))


def settle() -> None:
    """Compute in this process as every worker does: with one thread, which decides how sums are rounded."""
    torch.set_num_threads(1)
    # Activations that die away leave denormal numbers, which cost this processor up to a hundredfold.
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let the C library reuse the memory of freed tensors instead of returning it to the system at once.

    By default glibc maps every large tensor anew, and the page faults take a sixth of the training time. Elsewhere,
    where there is no `mallopt`, nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
