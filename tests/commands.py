"""The command in a process of its own, as a shell starts it, and stopped as a terminal or a cluster stops it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

POSIX = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs the signals, groups and locks of POSIX")
SECONDS = 600
"""A limit for what never ends, on the slowest and busiest machine."""


@contextmanager
def started(*arguments: object, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own, after a statement that it runs first."""
    # A process that was started in the background inherits an ignored SIGINT; a terminal's doesn't.
    code = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); "
    code += f"{first or 'pass'}; from dropover.cli import main; main()"
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def stopped(at: str, name: str, *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that gets the signal called `name` at a line that begins with `at`."""
    with started(*arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(at):
                break
        # As a terminal does it: to the command and its workers alike.
        os.killpg(process.pid, getattr(signal, name))
        out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err


def wait_for(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Until it is true, which it becomes while the process runs, if there is one."""
    until = time.monotonic() + SECONDS
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def is_let_go(lock: Path) -> bool:
    """Whether whoever held the lock is gone, soon."""
    import fcntl

    with lock.open("w") as file:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                return True
    return False
