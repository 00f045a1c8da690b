"""What a training needs to go on where it was killed: one file a trial, and how often it is worth its time."""

import contextlib
import hashlib
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from dropover.lab.digests import of_bytes
from dropover.lab.records import leaving
from dropover.lab.records.files import DamagedError, set_aside, write
from dropover.lab.records.trials import TrialKey
from dropover.lab.tensor_files import TensorFileError, read_tensors, write_tensors

_FIRST_COST = 0.01
"""Seconds that the first one is taken to cost, so that trials of a second don't begin with it."""
_DIGEST = 64
"""Bytes of the checksum, which a file ends with."""


@dataclass(frozen=True)
class Pace:
    """How often a training is kept: after so many seconds, and at the ends of epochs.

    Never so often that keeping it takes more than this share of the time.
    """

    seconds: float = 30.0
    share: float = 0.01


def checkpoint_path(trial: TrialKey, folder: Path) -> Path:
    """Where an unfinished trial is kept, beside its result. All that decides the trial is in the name."""
    return trial.path(folder).with_suffix(".checkpoint")


class Checkpoints:
    """The file from which a training goes on; without a path nothing is kept.

    It holds tensors and plain data only, nothing that would run when it is read, and a checksum. `notify` is called
    with a line about a file that can't be trusted, and is set aside, or that can't be written; `what`
    goes on from the file is for those lines.
    """

    def __init__(
        self,
        path: Path | None = None,
        pace: Pace = Pace(),
        notify: Callable[[str], object] = lambda _line: None,
        what: str = "training",
    ) -> None:
        self.path, self.pace, self._what = path, pace, what
        self._notify = notify
        self._kept, self._cost = time.monotonic(), _FIRST_COST

    def read(self) -> dict[str, Any] | None:
        """What was kept last; None if nothing was, or if it is damaged."""
        if self.path is None:
            return None
        try:
            return _content(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedError as reason:
            self.refuse(reason)
            return None

    def refuse(self, reason: DamagedError) -> None:
        """Set the file aside and say why: all begins anew."""
        assert self.path is not None
        self._notify(f"{set_aside(self.path, reason)}; {self._what} begins anew")

    def occasions(self) -> contextlib.AbstractContextManager[None]:
        """What a training is in while it asks again and again whether it is `due`."""
        return contextlib.nullcontext() if self.path is None else leaving.occasions()

    def due(self, *, epoch_ends: bool) -> bool:
        """Whether it is time to keep the training, be it that this process is to leave."""
        if self.path is None:
            return False
        if leaving.is_asked():
            return True
        rest = self._cost / self.pace.share
        return time.monotonic() - self._kept >= (rest if epoch_ends else max(rest, self.pace.seconds))

    def write(self, state: Mapping[str, Any]) -> None:
        """Replace what was kept, and leave if this process is asked to.

        Raises:
            TypeError: something in it is neither a tensor nor plain data.
        """
        if self.path is None:
            return
        started = time.monotonic()
        content = plain(state)
        try:
            write(self.path, lambda file: _fill(file, content))
        except OSError as error:
            # Training is worth more than the chance to go on with it.
            self._notify(f"{self.path} can't be written ({error.strerror}): {self._what} begins anew if it is stopped")
            self.path = None
        if leaving.is_asked():
            leaving.leave()
        self._kept = time.monotonic()
        self._cost = self._kept - started


class _Hashed:
    """A file that is written from beginning to end, and the checksum of what it was given: no copy is held."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.checksum = file, hashlib.sha256()

    def write(self, piece: bytes) -> int:
        self.checksum.update(piece)
        return self._file.write(piece)

    def flush(self) -> None:
        self._file.flush()


def _fill(file: BinaryIO, content: Any) -> None:
    hashed = _Hashed(file)
    write_tensors(content, hashed)
    file.write(hashed.checksum.hexdigest().encode())


def _content(path: Path) -> dict[str, Any]:
    """What the file holds; `FileNotFoundError` without one, `DamagedError` if it is not what was written."""
    try:
        content = memoryview(path.read_bytes())
        if of_bytes(content[:-_DIGEST]).encode() == content[-_DIGEST:]:
            state: dict[str, Any] = read_tensors(io.BytesIO(content[:-_DIGEST]))
            return state
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, TensorFileError):
        raise DamagedError("can't be read") from None
    raise DamagedError("was changed since it was written")


def plain(value: Any, where: str = "") -> Any:
    """The same tensors, numbers and texts in dictionaries, lists and tuples that are nothing more than that.

    Raises:
        TypeError: something else is among them; the message says where.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {plain(key, where): plain(part, f"{where}[{key!r}]") for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [plain(part, f"{where}[{index}]") for index, part in enumerate(value)]
        return tuple(parts) if isinstance(value, tuple) else parts
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a checkpoint holds tensors, numbers and texts, got {type(value).__name__} at {where}")
