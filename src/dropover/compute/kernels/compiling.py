"""How a kernel is compiled, gets its arguments, and is shared by threads.

A kernel is a C function of one pointer to a record of its arguments, whose first field counts the pieces of work that
were taken. Whoever runs it takes pieces until none is left, so any number of threads may run it at once, and none
waits for a slow one. The threads are those of the OpenMP library that PyTorch's own operations use: they are awake,
and there are as many as `torch.set_num_threads` says. Where it can't be found, the calling thread works alone.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import torch
from numba import types
from numba.extending import intrinsic

if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # set from the environment
    raise ImportError("numba is turned off by NUMBA_DISABLE_JIT")
if sys.byteorder != "little":
    raise ImportError("the two lanes of a word are read in the order of a little-endian machine")

Function = TypeVar("Function", bound=Callable[..., Any])

_ALONE = 1 << 16  # elements below which sharing costs more than it brings
_process = os.getpid()
_PACKED = {"i8": "q", "i4": "i", "f4": "f"}  # of a field, what numpy and `struct` call it


def compiled(function: Function) -> Function:
    """A function for kernels to call, whose arithmetic is what it says."""
    return numba.njit(error_model="numpy")(function)  # type: ignore[return-value]  # called as the function is


def summing(function: Function) -> Function:
    """The same for sums: their order may change and products be fused, but infinities and NaN keep their meaning."""
    return numba.njit(error_model="numpy", fastmath={"reassoc", "contract"})(function)  # type: ignore[return-value]


class Kernel:
    """A compiled kernel.

    Args:
        fields: names and numpy types of its arguments, in their order.
        function: takes a pointer to the record of `fields`, after the count of pieces.
    """

    def __init__(self, fields: dict[str, str], function: Callable[[Any], None]) -> None:
        record = np.dtype([("taken", "i8"), *fields.items()], align=True)
        # By `struct`, which fills a record in a third of numpy's time: on small inputs that is a good part of a call.
        self._record = struct.Struct("@q" + "".join(_PACKED[kind] for kind in fields.values()))
        self._size = max(record.itemsize, self._record.size)
        signature = types.void(types.CPointer(numba.from_dtype(record)))  # type: ignore[no-untyped-call]
        try:
            entry = numba.cfunc(signature, cache=True, error_model="numpy")(function)
        except (RuntimeError, OSError):  # no folder that can be written to
            entry = numba.cfunc(signature, error_model="numpy")(function)
        self._entry = entry  # owns the machine code
        self._run: Callable[[Any], None] = entry.ctypes
        self._address = int(entry.address or 0)

    def __call__(self, work: int, *arguments: float) -> None:
        """Run to the end; `work` is about the number of elements that are gone through."""
        record = (ctypes.c_char * self._size)()
        self._record.pack_into(record, 0, 0, *arguments)
        threads = torch.get_num_threads() if work >= _ALONE else 1
        if threads > 1 and _parallel is not None and os.getpid() == _process:
            _parallel(self._address, record, threads, 0)
        else:  # in a forked process, too, which has none of its parent's threads
            self._run(record)


def kernel(fields: dict[str, str]) -> Callable[[Callable[[Any], None]], Kernel]:
    """Turn a function of a pointer to `fields` into a kernel."""
    return lambda function: Kernel(fields, function)


@intrinsic
def take(context, arguments):  # type: ignore[no-untyped-def]
    """The number of the next piece that no thread has taken yet."""

    def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
        integer = context.get_value_type(types.int64)
        counter = builder.bitcast(values[0], integer.as_pointer())
        return builder.atomic_rmw("add", counter, integer(1), "monotonic")

    return types.int64(arguments), generate


def _pointer(element: types.Type) -> Callable[[int], Any]:
    """A function for kernels that turns an address into a pointer to numbers of one type."""

    @intrinsic
    def pointer(context, address):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            return builder.inttoptr(values[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate  # type: ignore[no-untyped-call]

    return pointer  # type: ignore[return-value]  # called with one number in a kernel


floats = _pointer(types.float32)
integers = _pointer(types.int32)


def _openmp() -> Callable[[int, Any, int, int], None] | None:
    """GNU's entry to a parallel region, which LLVM's and Intel's libraries have too, as torch has loaded it."""
    try:
        function = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    function.restype = None
    result: Callable[[int, Any, int, int], None] = function
    return result


_parallel = _openmp()
