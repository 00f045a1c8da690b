"""A bar on stderr, or a line where that is no terminal, for work that takes long enough to make one wonder."""

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

# Seconds of work before a bar appears.
PATIENCE = 2.0

T = TypeVar("T")


def shown(steps: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The same steps, with a bar on stderr from the third second on; one line where stderr is no terminal.

    The bar says `what` is done. Only the main process shows it: those of several workers would write over each other.
    """
    if multiprocessing.parent_process() is not None:
        yield from steps
        return
    started = time.monotonic()
    bar: Progress | None = None
    try:
        for done, step in enumerate(steps, start=1):
            yield step
            if bar is None and time.monotonic() - started > PATIENCE:
                bar = _bar(total, what)
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)
    finally:
        if bar is not None:
            bar.stop()


def _bar(total: int, what: str) -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{what}: {total:,}", markup=False, highlight=False, soft_wrap=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    bar.add_task(what, total=total)
    bar.start()
    return bar
