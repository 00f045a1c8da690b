"""What a worker process does first, before it imports torch and all that a trial needs."""

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Mapping
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path

from dropover.lab.records import leaving
from dropover.lab.running.stopping import leave_stops_to_the_parent

OUTPUT = "output.txt"
"""The file in a results' folder that takes what trials print: on the screen it would tear the progress apart."""


def begin(work: bytes, connection: Connection, asked: Connection, folder: Path, environment: Mapping[str, str]) -> None:
    """Become a worker that ends with its parent, however that ends.

    The study and the trial function come as pickled bytes, so that nothing is imported before the parent is watched;
    `connection` is this end of the pipe to it, `asked` brings its wish that this process leaves, `folder` is the
    results' folder, and `environment` the parent's variables as they are now.
    """
    os.environ.clear()
    os.environ.update(environment)
    leave_stops_to_the_parent()
    threading.Thread(target=_leave_for_the_parent, args=(asked,), daemon=True).start()
    print_to(folder / OUTPUT)
    study, trial = pickle.loads(work)  # noqa: S301 - the parent's own

    from dropover.lab.running.worker import serve

    serve(study, trial, connection, folder)


def size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _leave_for_the_parent(asked: Connection) -> None:
    """Leave when the parent asks for it, as soon as what is trained is kept; at once if it is gone.

    Then it reads no result any more, and this process's place may be needed.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    try:
        asked.recv()
    except (EOFError, OSError):
        leaving.leave()
    leaving.ask()
    parent.join()
    leaving.leave()


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
