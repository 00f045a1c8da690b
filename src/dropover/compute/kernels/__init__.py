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


def load(name: str) -> ModuleType | None:
    """The module of kernels of that name, compiled; None where numba is missing, turned off or unable."""
    if name not in _loaded:
        with _lock:
            if name not in _loaded:
                _loaded[name] = _compiled(name)
    return _loaded[name]


def _compiled(name: str) -> ModuleType | None:
    # Without kernels everything works, so nothing that numba may raise is worth an error: a missing or too old numpy,
    # an unknown processor, a machine with another byte order.
    try:
        return importlib.import_module(f"dropover.compute.kernels.{name}")
    except Exception:
        return None


def serve(*tensors: Tensor) -> bool:
    """Whether kernels may read these tensors' memory: plain ones on a CPU, which nothing traces or transforms."""
    if (
        torch.compiler.is_compiling()  # first: a compiler that traces this must see no more of it
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
    ):
        return False
    for tensor in tensors:
        if type(tensor) is not Tensor or not tensor.is_cpu or tensor.is_neg() or tensor._is_zerotensor():
            return False
    return True
