"""Being stopped: Ctrl-C, SIGTERM and a terminal that closes all become one exception, so that what is done is kept."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that ask a command to stop, as far as this system has them."""


class Stop(KeyboardInterrupt):
    """A signal asks this process to stop. A kind of `KeyboardInterrupt`, since all that is done about it is the same.

    A `KeyboardInterrupt` that is none of these, while `stoppable` listens, was raised by somebody's code.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a command that was stopped exits with, as shells have it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (stop.number if isinstance(stop, Stop) else signal.SIGINT)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Have each of `STOPS` raise `Stop` in the main thread; a signal that is ignored (`nohup`) stays so.

    The first one is heard, whichever it is, and after it only Ctrl-C, for who doesn't want to wait for what is kept:
    some senders send the others twice, to the process and to its group.
    """
    if not _in_main_thread():
        yield
        return
    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped or number == signal.SIGINT:
            stopped = True
            raise Stop(number)

    before = {number: signal.signal(number, stop) for number in _listened_to()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stops_held() -> Iterator[None]:
    """Let none of `STOPS` take effect inside; one that arrives meanwhile does at the end.

    They are blocked too, which a process that is started inside inherits: it is the sender's to stop, not the signal's.
    """
    if not _in_main_thread():
        yield
        return
    arrived: list[int] = []
    # Blocking alone would not do: another thread may get the signal, and Python then calls the handler in this one.
    before = {number: signal.signal(number, lambda n, _frame: arrived.append(n)) for number in _listened_to()}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


def leave_stops_to_the_parent() -> None:
    """For a process that was started while stops were held: it goes on until its parent ends it.

    Handlers that do nothing, and not signals ignored or blocked, because what it starts in turn would inherit those.
    """
    for number in STOPS:
        signal.signal(number, lambda _number, _frame: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _listened_to() -> list[int]:
    """Those that somebody wants to hear; a handler that isn't Python's (None) could not be put back."""
    return [number for number in STOPS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
