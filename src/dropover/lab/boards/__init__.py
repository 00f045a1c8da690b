"""Where else a study can be watched, in tools that many have open: one file per board, found by `BOARDS`."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dropover.lab.running.events import Listener
from dropover.lab.study import Study
from dropover.registry import Registry


class MissingExtraError(ValueError):
    """A board's packages are not installed; the message says how to install them."""


@dataclass(frozen=True)
class Board:
    """A board by name, which is also that of the extra of dropover that brings its packages.

    `show(study, folder)` gives what is told the events of a study's run, whose results' folder it is, and writes them;
    it is left when the run is over. All of it happens in a thread of its own. It may raise anything: then the run goes
    on without it. `packages` are imported there and not before.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    packages: tuple[str, ...]
    show: Callable[[Study, Path], AbstractContextManager[Listener]]


BOARDS: Registry[Board] = Registry("board", __name__)


def boards_named(names: str | Iterable[str]) -> list[Board]:
    """The boards of these names, or of one, each once.

    Raises:
        UnknownNameError: there is no such board.
        MissingExtraError: its packages are not installed.
    """
    boards = list(dict.fromkeys(map(BOARDS.get, [names] if isinstance(names, str) else names)))
    for board in boards:
        if missing := [package for package in board.packages if find_spec(package) is None]:
            lacks = f"{' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed"
            raise MissingExtraError(f'log: {board.name} needs {lacks}: pip install "dropover[{board.name}]"')
    return boards
