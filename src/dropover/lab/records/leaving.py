"""A process that is asked to leave while it trains keeps what it has done at the next occasion, and ends there."""

import contextlib
import os
from collections.abc import Iterator

GONE = 1
"""What it exits with."""


class _Leaving:
    asked = False
    trainings = 0


_leaving = _Leaving()


@contextlib.contextmanager
def occasions() -> Iterator[None]:
    """Inside come occasions to keep a training: a process that is asked to leave goes on until the next one."""
    _leaving.trainings += 1
    try:
        yield
    finally:
        _leaving.trainings -= 1
        if _leaving.asked:
            _leave_if_nothing_is_to_come()


def is_asked() -> bool:
    """Whether this process is to keep what it has done and to leave."""
    return _leaving.asked


def ask() -> None:
    """Have this process leave: at once if no occasion is to come. Called from a thread beside the one that trains."""
    # In this order: the other thread reads them in the opposite one.
    _leaving.asked = True
    _leave_if_nothing_is_to_come()


def leave() -> None:
    """End this process here and now; nothing that it runs can catch it."""
    os._exit(GONE)


def _leave_if_nothing_is_to_come() -> None:
    if not _leaving.trainings:
        leave()
