"""The lab: trains a network under many regularizers with everything else equal, and measures what each one does.

Its public names are loaded on first use, so that workers and the command line load no more than they need. What type
checkers know of them stands in `__init__.pyi`, which `make stubs` writes.
"""

import importlib
import pkgutil
from typing import Any

__all__ = [
    "Result",
    "Study",
    "Trial",
    "attack",
    "audit",
    "compare",
    "inspect",
    "places",
    "reproduce",
    "search",
    "verify",
]

_HOMES = {
    "Result": "result",
    "Study": "study",
    "Trial": "running.trial",
    "attack": "measuring.attacking",
    "audit": "report.audits",
    "compare": "comparing",
    "inspect": "report.inspecting",
    "places": "models.parts.users",
    "reproduce": "reproductions.parts.reproducing",
    "search": "seeking",
    "verify": "auditing.verifying",
}
_MODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"dropover.lab.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"dropover.lab.{name}")
    raise AttributeError(f"module 'dropover.lab' has no attribute {name!r}: it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return __all__
