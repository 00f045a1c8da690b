"""Files of tensors, read so that nothing in them can run."""

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch


class TensorFileError(ValueError):
    """A file that can't be read; the message says why, in a line.

    One that holds `more` than tensors and plain data isn't read, since reading it would run what is in it.
    """

    def __init__(self, reason: str, *, more: bool = False) -> None:
        super().__init__(reason)
        self.more = more


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
