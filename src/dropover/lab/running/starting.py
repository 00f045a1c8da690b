"""What a worker process does first, before it imports torch and all that a trial needs."""

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import sys
import threading
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path

from dropover.lab.running.stopping import leave_stops_to_the_parent

OUTPUT = "output.txt"
"""The file in a results' folder that takes what trials print: on the screen it would tear the progress apart."""


def begin(work: bytes, connection: Connection, folder: Path) -> None:
    """Become a worker that ends with its parent, however that ends.

    The study and the trial function come as pickled bytes, so that nothing is imported before the parent is watched;
    `connection` is this end of the pipe to it, and `folder` the results' folder.
    """
    leave_stops_to_the_parent()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    print_to(folder / OUTPUT)
    study, trial = pickle.loads(work)  # noqa: S301 - the parent's own

    from dropover.lab.running.worker import serve

    serve(study, trial, connection, folder)


def size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _end_with_the_parent() -> None:
    """Wait for the parent and leave at once: it reads no result any more, and its place may be needed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def print_to(path: Path) -> None:
    """Send everything that this process prints to the end of a file, C code and crashes too.

    Where it can't be written, the screen keeps it.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        faulthandler.enable(file=2)
