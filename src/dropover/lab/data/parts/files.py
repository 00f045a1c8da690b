"""Where the files of published data sets are looked for, and how missing ones are downloaded."""

import http.client
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dropover.lab.data import DataError

# Seconds without an answer after which there is no network: torchvision would wait for as long as the system does.
_PATIENCE = 20


def root_of(folder: Path | None) -> Path:
    """The data folder: the one given, else `$DROPOVER_DATA`, else `~/.cache/dropover`."""
    return Path(folder or os.environ.get("DROPOVER_DATA") or "~/.cache/dropover").expanduser()


def fetch(
    name: str, file: str, looked: Sequence[Path], source: str, get: Callable[[Path], object], remedy: str
) -> Path:
    """Download a data set, so that its folder afterwards holds either all of its files or what it held before.

    Args:
        name: The data set.
        file: The file that is missing.
        looked: The folders that were looked in; the first is downloaded into.
        source: The address that is downloaded from, for people.
        get: Downloads the set into the folder that it is given.
        remedy: What to do where this fails.

    Returns:
        The folder.

    Raises:
        DataError: there is no network, or the folder can't be written.
    """
    root = looked[0]
    sys.stderr.write(f"{name}: downloading from {source} to {root}\n")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as part, _limited_patience():
            get(Path(part))
            for path in [path for path in Path(part).rglob("*") if path.is_file()]:
                wanted = root / path.relative_to(part)
                wanted.parent.mkdir(parents=True, exist_ok=True)
                path.replace(wanted)
    # Torchvision raises RuntimeError for a wrong checksum, and where all of several addresses failed.
    except (OSError, EOFError, RuntimeError, http.client.HTTPException, shutil.ReadError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        folders = ", ".join(map(str, looked))
        raise DataError(
            f"{name} has no file {file} in {folders}, and the download failed ({reason}): {remedy}"
        ) from None
    return root


@contextmanager
def _limited_patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
