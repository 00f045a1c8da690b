"""What stops a trial and is no property of it: the same trial may well come to its end another time."""

import errno

from dropover.lab.training.together import LostError

_FULL_OR_LOCKED = {errno.ENOSPC, errno.EDQUOT, errno.EROFS} if hasattr(errno, "EDQUOT") else {errno.ENOSPC, errno.EROFS}


class PassingError(RuntimeError):
    """A trial came to nothing by what happened around it."""


def is_passing(error: BaseException) -> bool:
    """Whether an error tells nothing of the trial that it ended: ours that say so, and a disk that takes nothing."""
    return isinstance(error, PassingError | LostError) or (
        isinstance(error, OSError) and error.errno in _FULL_OR_LOCKED
    )
