"""Files of tensors: read so that nothing in them can run, and written so that a full disk is told as one."""

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO, Protocol

import torch


class TensorFileError(ValueError):
    """A file that can't be read; the message says why, in a line.

    One that holds `more` than tensors and plain data isn't read, since reading it would run what is in it.
    """

    def __init__(self, reason: str, *, more: bool = False) -> None:
        super().__init__(reason)
        self.more = more


class Writable(Protocol):
    """A file that is written from beginning to end."""

    def write(self, piece: bytes, /) -> int:
        """Write them all."""

    def flush(self) -> None:
        """Hand on what was written."""


class _Telling:
    """Such a file, which remembers why it couldn't be written."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, piece: bytes) -> int:
        try:
            return self._file.write(piece)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def write_tensors(content: Any, file: Writable) -> None:
    """Do what `torch.save` does.

    Raises:
        OSError: it can't be written; torch by itself tells of positions that it didn't expect.
    """
    telling = _Telling(file)
    try:
        torch.save(content, telling)  # type: ignore[arg-type]  # which only writes to it
    except RuntimeError:
        if telling.error is not None:
            raise telling.error from None
        raise


def read_tensors(file: Path | BinaryIO) -> Any:
    """What `torch.save` wrote, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        TensorFileError: it can't be read, or holds more than tensors and plain data.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are none of torch's
            return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except UnpicklingError:
        raise TensorFileError("holds more than tensors", more=True) from None
    # Bytes that mean nothing make torch stumble in a dozen ways.
    except Exception as error:
        raise TensorFileError(next(iter(str(error).splitlines()), type(error).__name__)) from error
