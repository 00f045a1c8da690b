"""Being stopped: Ctrl-C, SIGTERM and a terminal that closes all become one exception, so that what is done is kept."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
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
    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped or number == signal.SIGINT:
            stopped = True
            raise Stop(number)

    with _handled_by(stop):
        yield


@contextlib.contextmanager
def stops_held() -> Iterator[None]:
    """Let none of `STOPS` take effect inside; one that arrives meanwhile does at the end.

    They are blocked too, which a process that is started inside inherits: it is the sender's to stop, not the signal's.
    """
    arrived: list[int] = []
    blockable = _in_main_thread() and hasattr(signal, "pthread_sigmask")
    try:
        # Blocking alone would not do: another thread may get the signal, and Python then calls the handler in this one.
        with _handled_by(lambda number, _frame: arrived.append(number)):
            before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS) if blockable else None
            try:
                yield
            finally:
                if before is not None:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    finally:
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


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle those of `STOPS` that somebody wants to hear, in the main thread alone; afterwards as before."""
    # A handler that isn't Python's (None) could not be put back.
    heard = [number for number in STOPS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in heard if _in_main_thread()}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
