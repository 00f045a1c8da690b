"""Which trials are being run, for all that run trials of one folder: each trial is a byte of a file, locked meanwhile.

The system frees the locks of a process that ends, however it ends. They hold between machines where the file system
they share has locks (NFS does). Where there are none, two runs may compute the same trial, with the same result.
"""

import contextlib
import os
from pathlib import Path
from types import TracebackType

from dropover.lab.records.trials import TrialKey

FILE = "claims"
"""In the folder of the trials; always empty."""
_DIGITS = 15
"""How much of a fingerprint is a position in the file: 60 bits, as much as a file can have."""


class Claims:
    """The claims of this process on the trials of a folder. Entered before the first one is made.

    Args:
        folder: The folder that holds the trials' files.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._file: int | None = None

    def __enter__(self) -> "Claims":
        with contextlib.suppress(OSError):  # whether anything can be written here shows when results are
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)

    def take(self, trial: TrialKey) -> bool:
        """Claim a trial; False if another process has."""
        return self._lock(trial, take=True)

    def drop(self, trial: TrialKey) -> None:
        """Claim it no more."""
        self._lock(trial, take=False)

    def _lock(self, trial: TrialKey, *, take: bool) -> bool:
        try:
            import fcntl
        except ImportError:  # Windows
            return True
        if self._file is None:
            return True
        kind = fcntl.LOCK_EX | fcntl.LOCK_NB if take else fcntl.LOCK_UN
        try:
            fcntl.lockf(self._file, kind, 1, int(trial.fingerprint[:_DIGITS], 16))
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True  # a file system without locks
        return True
