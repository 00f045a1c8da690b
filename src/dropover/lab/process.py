"""What every process is set to that computes trials or a part of one; it imports torch only when it is settled."""

import contextlib
import ctypes
import multiprocessing
import os
import threading

# Numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def end_with_the_parent() -> None:
    """Have this process leave as soon as the one that started it is gone, however that ended.

    Nobody reads its result then, and its place may be needed.
    """
    threading.Thread(target=_wait_for_the_parent, daemon=True).start()


def settle() -> None:
    """Compute in one thread, without denormal numbers, and in memory that is used again."""
    import torch

    torch.set_num_threads(1)
    # Activations that die away leave denormal numbers, which cost this processor up to a hundredfold.
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def _wait_for_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _keep_freed_memory() -> None:
    """Let the C library reuse the memory of freed tensors instead of returning it to the system at once.

    By default glibc maps every large tensor anew, and the page faults take a sixth of the training time. Elsewhere,
    where there is no `mallopt`, nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
