"""Compiled kernels for a CPU, by numba, where it is installed; without it, PyTorch's own operations do the same.

Numba is loaded, and a kernel compiled, when a layer first meets an input that one serves. What was compiled is kept on
disk, beside this file or in the user's cache folder. `NUMBA_DISABLE_JIT=1` in the environment turns kernels off.
"""

import importlib
import threading
from types import ModuleType

import torch
from torch import Tensor

_lock = threading.Lock()
_loaded: dict[str, ModuleType | None] = {}


def serving(name: str, *tensors: Tensor) -> ModuleType | None:
    """The module of kernels of that name, if it may read these tensors' memory; None where torch must do.

    They are plain tensors on a CPU, which nothing traces or transforms.
    """
    if (
        torch.compiler.is_compiling()  # first: a compiler that traces this must see no more of it
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
    ):
        return None
    for tensor in tensors:
        if type(tensor) is not Tensor or not tensor.is_cpu or tensor.is_neg() or tensor._is_zerotensor():
            return None
    return _loaded[name] if name in _loaded else load(name)


def load(name: str) -> ModuleType | None:
    """The module of kernels of that name, compiled; None where numba is missing, turned off or unable."""
    with _lock:
        if name not in _loaded:
            try:
                _loaded[name] = importlib.import_module(f"dropover.compute.kernels.{name}")
            # Without kernels everything works, so nothing that numba may raise is worth an error: a missing or too old
            # numpy, an unknown processor, a machine with another byte order.
            except Exception:
                _loaded[name] = None
    return _loaded[name]
