"""Files that are kept: written whole or not at all, and set aside in sight where they can't be trusted."""

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


class DamagedError(Exception):
    """A kept file that no longer is what was written. The message says what is wrong with it."""


def write_text(path: Path, text: str, *, lasting: bool = True) -> None:
    """Replace a file by text in one step; see `write`."""
    write(path, lambda file: file.write(text.encode()), lasting=lasting)


def write(path: Path, fill: Callable[[BinaryIO], object], *, lasting: bool = True) -> None:
    """Replace a file in one step by what `fill` writes, so that a reader (or a rerun) never meets half of one.

    What is `lasting` is on the disk when this returns, and survives a machine that loses its power. Folders
    that are missing are made.

    Raises:
        OSError: it can't be written; `filename` is this file's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            # mkstemp makes files for the owner's eyes only; results are an ordinary file.
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno is None:
            raise
        # A temporary file's name says nothing to anybody.
        raise OSError(error.errno, error.strerror, str(path)) from error
    if lasting:
        _keep_name(path.parent)


def _keep_name(folder: Path) -> None:
    """Put a folder itself on the disk, which holds its files' names; not every system lets one."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def set_aside(path: Path, reason: DamagedError) -> str:
    """Rename a file that can't be trusted to NAME.damaged, and say so in a line; it is never deleted."""
    names = itertools.chain([f"{path.name}.damaged"], (f"{path.name}.damaged-{n}" for n in itertools.count(2)))
    aside = next(aside for aside in map(path.with_name, names) if not aside.exists())
    try:
        path.rename(aside)
    except FileNotFoundError:
        # Another command has met it at the same time.
        return f"{path} {reason}"
    return f"{path} {reason}: set aside as {aside.name}"
