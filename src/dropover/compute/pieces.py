"""Selection of single elements without a compiled kernel, in pieces that stay in the processor's cache.

On a CPU most of the time of a large elementwise operation goes into new memory, which the system must map and clear:
here only the result is new.
"""

import threading

import torch
from torch import Tensor

from dropover.compute import masks
from dropover.compute.hash import FIRST, SECOND, STEP

_PIECE = 1 << 18  # elements at a time: small enough for the cache, large enough that calls cost little
_ROWS = _PIECE // 2 // masks.COLUMNS
_shift = torch.ops.aten.bitwise_right_shift.Tensor_Scalar_out
_threshold = torch.ops.aten.threshold_backward.grad_input
_leaky = torch.ops.aten.leaky_relu_backward.grad_input


class _Scratch(threading.local):
    """Working memory of one thread, 2.5 MiB, kept between calls. It carries no value from one call to the next."""

    def __init__(self) -> None:
        # Whatever mode the first call is made in: memory of an inference mode could not be written to outside it, and
        # a user's default device or dtype is not this memory's.
        with torch.inference_mode(mode=False):
            self.counter = torch.empty(_ROWS, masks.COLUMNS, dtype=torch.int32, device="cpu")
            self.word = torch.empty_like(self.counter)
            self.shifted = torch.empty_like(self.counter)
            self.lanes = torch.empty(_PIECE, dtype=torch.float32, device="cpu")


_scratch: _Scratch | None = None  # made on first use: importing the library allocates nothing


def select_by_pieces(source: Tensor, target: Tensor, key: Tensor, border: float, slope: float, scale: float) -> None:
    """Write `selection.select` of contiguous float32 numbers on a CPU to `target`; hit are lanes below `border`."""
    global _scratch
    if _scratch is None:
        _scratch = _Scratch()
    scratch = _scratch
    source, target = source.view(-1), target.view(-1)
    low, high = masks.halves(key)
    rows = torch.arange(_ROWS, dtype=torch.int32, device="cpu").mul_(masks.wrapped(masks.COLUMNS * STEP))
    columns = torch.arange(masks.COLUMNS, dtype=torch.int32, device="cpu").mul_(STEP)
    for start in range(0, source.numel(), _PIECE):
        size = min(_PIECE, source.numel() - start)
        used = -(-size // (2 * masks.COLUMNS))
        if start == 0:
            counter = torch.add(rows[:used].add_(low).unsqueeze(1), columns, out=scratch.counter[:used])
        else:
            counter = scratch.counter[:used].add_(masks.wrapped(_PIECE // 2 * STEP))
        word, shifted = scratch.word[:used], scratch.shifted[:used]
        _shift(counter, 16, out=shifted)
        torch.bitwise_xor(counter, shifted.bitwise_and_(0xFFFF), out=word)
        torch.add(high, word, alpha=FIRST, out=word)
        _shift(word, 15, out=shifted)
        word.bitwise_xor_(shifted.bitwise_and_(0x1FFFF)).mul_(SECOND)
        _shift(word, 16, out=shifted)
        word.bitwise_xor_(shifted.bitwise_and_(0xFFFF))
        lanes = scratch.lanes[:size].copy_(word.view(-1).view(torch.int16)[:size])
        piece = target[start : start + size]
        if slope == 0:
            _threshold(source[start : start + size], lanes, border, grad_input=piece)
        else:
            _leaky(source[start : start + size], lanes.sub_(border), slope, False, grad_input=piece)
        if scale != 1:
            piece.mul_(scale)
