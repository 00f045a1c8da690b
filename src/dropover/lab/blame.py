"""Errors told in one line, with the line of the user's own code that they came by, and kept whole in a log."""

import contextlib
import datetime
import functools
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import dropover

LOG = "log.txt"
"""The file in a results' folder that keeps tracebacks."""
_LONGEST = 300
"""Letters of an error's message that are shown in a line; the log has all."""


class ForeignError(ValueError):
    """Code that isn't ours failed: what it was asked for and how it failed, in one line; its own error is the cause."""


class Problem(str):
    """What is wrong, in one line; `cause` is the error of the user's code behind it, if there is one."""

    cause: BaseException | None

    def __new__(cls, line: str, cause: BaseException | None = None) -> "Problem":
        """The line, and its cause if that is one of the user's code."""
        self = super().__new__(cls, line)
        self.cause = cause if cause is not None and is_foreign(cause) else None
        return self


@contextlib.contextmanager
def blaming(what: str, kind: type[ForeignError] = ForeignError) -> Iterator[None]:
    """Turn whatever code of the user's raises inside, `SystemExit` too, into one line that begins with `what`.

    Only Ctrl-C and what is blamed already go through as they are.
    """
    try:
        yield
    except (KeyboardInterrupt, ForeignError):
        raise
    except BaseException as error:
        raise kind(f"{what} {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error as `Type: message (file, line N)`, the place being the last line of the user's own that it came by."""
    # Not `str(error)`, which the user's own classes may fail at.
    words = str(traceback.TracebackException(type(error), error, None, compact=True))
    message = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
    place = None if isinstance(error, SyntaxError) else place_of(error)  # its message has the place
    told = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{told} ({place})" if place else told


def place_of(error: BaseException) -> str | None:
    """The last line of the user's own code that an error came by, as `file, line N`; None where it came by none."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if not str(path).startswith("<") and not any(map(path.is_relative_to, _not_the_users())):
            place = f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}, line {line}"
    return place


def is_foreign(error: BaseException) -> bool:
    """Whether the user's code is behind an error, directly or by way of its causes."""
    if isinstance(error, ForeignError) or place_of(error) is not None:
        return True
    return error.__cause__ is not None and is_foreign(error.__cause__)


def logged(error: BaseException, what: str, folder: Path) -> str:
    """Keep an error's traceback in the log of a folder, made if missing; where that can't be, in a temporary one.

    `what` failed is for whoever reads the log. Returns what a line on screen adds, such as "; traceback in
    results/main/log.txt"; empty where nothing could be kept.
    """
    return kept("".join(traceback.format_exception(error)), what, folder)


def kept(text: str, what: str, folder: Path) -> str:
    """The same with a traceback that is a text already, of another machine."""
    now = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    entry = f"--- {now} {what}\n{text}\n"
    for temporary in (False, True):
        with contextlib.suppress(OSError):
            log = (Path(tempfile.mkdtemp(prefix="dropover-")) if temporary else folder) / LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(entry)
            return f"; traceback in {log}"
    return ""


@functools.cache
def _not_the_users() -> tuple[Path, ...]:
    """Where Python, what is installed, and this package lie."""
    installed = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return (Path(str(dropover.__file__)).parent, *map(Path, dict.fromkeys(installed)))
