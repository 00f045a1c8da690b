"""Interleaved timing: the machine's moods fall on all that is compared alike."""

import contextlib
import ctypes
import statistics
import time
from collections.abc import Callable

import torch

BLOCK = 5


def medians(
    tasks: dict[str, Callable[[], object]],
    repeats: int,
    block: int = BLOCK,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median time of each task in microseconds, by the wall unless another clock is given.

    The tasks take turns of `block` calls in a row. The first call of a turn finds the caches as another task left them
    and isn't counted, nor is the first turn.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(1 + repeats):
        for name, task in tasks.items():
            for call in range(block):
                _wait()
                started = clock()
                task()
                _wait()
                if turn and (call or block == 1):
                    times[name].append((clock() - started) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def keep_freed_memory() -> None:
    """Let glibc reuse freed memory at once, for all tasks alike.

    Otherwise the time that large tensors take to be mapped anew, which depends on what else the process holds, hides
    what the tasks themselves take. A training process that holds its weights is in between.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
