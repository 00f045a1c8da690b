"""Dropout and its successors for any PyTorch model.

Names are loaded on first use, so that the command line can answer `--help` without loading torch. What type checkers
know of them stands in `__init__.pyi`, which `make stubs` writes.
"""

import importlib
import pkgutil
from typing import Any

_MODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("dropover")
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'dropover' has no attribute {name!r}")
    if name in _MODULES:
        return importlib.import_module(f"dropover.{name}")
    public = globals()
    if "__all__" not in public:
        public.update(names := _public(), __all__=["__version__", *names])
    if name not in public:
        raise AttributeError(f"module 'dropover' has no attribute {name!r}: it has {', '.join(public['__all__'])}")
    return public[name]


def _public() -> dict[str, Any]:
    """The methods' layers, the public parts that they are made of, and what works with them."""
    from dropover import functional, parts
    from dropover.insertion import Plan, insert, regularizers, replace
    from dropover.methods import METHODS
    from dropover.progress import advance
    from dropover.regularizer import Regularizer
    from dropover.uncertainty import MonteCarlo, monte_carlo

    layers = [method.layer for method in METHODS]
    users = (MonteCarlo, Plan, Regularizer, advance, insert, monte_carlo, regularizers, replace)
    named = {value.__name__: value for value in (*layers, *users, *parts.public().values())}
    return {"METHODS": METHODS, **dict(sorted({**named, "functional": functional}.items()))}


def __dir__() -> list[str]:
    return __getattr__("__all__")
