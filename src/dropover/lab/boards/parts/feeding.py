"""Boards fed while a study runs, each in a thread of its own: neither a slow one nor a broken one holds it up."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from dropover.lab.blame import one_line
from dropover.lab.boards import Board
from dropover.lab.running.events import Event, Listener, Moved, Noted
from dropover.lab.study import Study

PATIENCE = 30.0
"""Seconds without a sign of life after which a board is no longer waited for when a run is over."""


@contextmanager
def on_boards(
    boards: Sequence[Board], study: Study, folder: Path, tell: Callable[[str], object]
) -> Iterator[Callable[[Listener], Listener]]:
    """Have boards hear what a listener hears; when this is left all is written.

    A board that fails is told of in a line, once, and gets no more.

    Args:
        boards: Which.
        study: What is run.
        folder: Its results' folder.
        tell: Is told such a line when no run is left whose listener could be told.

    Returns:
        What makes of a run's listener one that the boards hear too.
    """
    feeds = [_Feed(board, study, folder) for board in boards]

    def hear(listener: Listener, event: Event) -> None:
        listener(event)
        for feed in feeds:
            feed.give(event)
            if note := feed.note():
                listener(Noted(note))

    try:
        yield lambda listener: partial(hear, listener)
    finally:
        for feed in feeds:
            feed.give(None)
        for feed in feeds:
            feed.end()
            if note := feed.note():
                tell(note)


class _Feed:
    """One board, its thread, and what it is still to be told."""

    def __init__(self, board: Board, study: Study, folder: Path) -> None:
        self._name = board.name
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._taken = 0
        self._failure = ""
        self._thread = threading.Thread(target=self._feed, args=(board.show(study, folder),), daemon=True)
        self._thread.start()

    def give(self, event: Event | None) -> None:
        """Have the board told an event, or with None that there is none to come."""
        idle = isinstance(event, Noted) or (isinstance(event, Moved) and not event.progress.logged)
        if self._thread.is_alive() and not idle:
            self._events.put(event)

    def note(self) -> str:
        """How it has failed, in a line, the first time that this is asked; else nothing."""
        failure, self._failure = self._failure, ""
        return failure and f"{self._name}: {failure}: no more is written there; the same command adds what is missing"

    def end(self) -> None:
        """Wait until all is written, as long as something is."""
        taken = -1
        while self._thread.is_alive() and taken < self._taken:
            taken = self._taken
            self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._failure = f"no answer within {PATIENCE:.0f} s"

    def _feed(self, shown: AbstractContextManager[Listener]) -> None:
        try:
            with shown as hear:
                while (event := self._events.get()) is not None:
                    hear(event)
                    self._taken += 1
        # Whatever goes wrong in others' packages, the study goes on.
        except Exception as error:
            self._failure = one_line(error)
