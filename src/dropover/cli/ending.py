"""How a command ends before its end, stopped or by an error: with a line on screen, never with a traceback."""

import contextlib
import functools
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import typer

from dropover.lab.blame import Problem, is_foreign, logged, one_line
from dropover.lab.running.stopping import Stop, exit_code, stoppable

RESULTS = Path("results")
"""Where results go unless told otherwise, and tracebacks while it isn't known yet whose they are."""

P = ParamSpec("P")
R = TypeVar("R")


def ending_well(command: Callable[P, R]) -> Callable[P, R]:
    """Have a command hear all that asks it to stop, and leave nothing that goes wrong in it without a word."""

    @functools.wraps(command)
    def ending(*args: P.args, **kwargs: P.kwargs) -> R:
        with stoppable(), stops_told(), failures_told(RESULTS):
            return command(*args, **kwargs)

    return ending


@contextlib.contextmanager
def stops_told(line: str = "Stopped.") -> Iterator[None]:
    """Say so in a line where a stop ends what is inside, and exit with its code."""
    try:
        yield
    except Stop as stop:
        stopped(stop, line)


def stopped(stop: KeyboardInterrupt, line: str) -> NoReturn:
    """Say so in a line, and exit as one does who was stopped."""
    # A terminal that is gone takes no line.
    with contextlib.suppress(OSError):
        typer.echo(line, err=True)
    raise typer.Exit(exit_code(stop)) from None


@contextlib.contextmanager
def failures_told(folder: Path, *expected: type[Exception]) -> Iterator[None]:
    """End the command in a line where something goes wrong inside, and keep the traceback where it tells more.

    What is expected to go wrong by what the user asked for exits with 2, and so does a file that can't be written.
    Anything else, with 1: errors in the user's own code, be it that this wants to end the program, and our mistakes.

    Args:
        folder: The folder of results: its log takes tracebacks.
        expected: Errors whose message is for the user. Where the user's code is behind one, its traceback is kept.
    """
    try:
        yield
    # What ends a command on purpose is a RuntimeError of typer's.
    except (Stop, typer.Exit):
        raise
    except expected as error:
        lines = getattr(error, "lines", (Problem(str(error), error),))
        fail("\n".join(line + _kept(line, folder) for line in lines))
    except BaseException as error:
        if isinstance(error, OSError) and not is_foreign(error):
            if isinstance(error, BrokenPipeError):  # whoever read the output has left: no one is there to be told
                raise
            fail(f"{error.filename or folder}: can't be written ({error.strerror or error})")
        line = one_line(error)
        fail(line + logged(error, "the command", folder), code=1)


def command_line() -> str:
    """The command that is running, as a reader would type it."""
    return shlex.join(["dropover", *sys.argv[1:]])


def goes_on() -> str:
    """What to do after a stop."""
    return f"The same command goes on from there: {command_line()}"


def fail(message: str, code: int = 2) -> NoReturn:
    """Say what is wrong on stderr and exit with `code`."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def _kept(line: str, folder: Path) -> str:
    """What to add to a line about the traceback behind it, kept now."""
    cause = line.cause if isinstance(line, Problem) else None
    return "" if cause is None else logged(cause, line, folder)
