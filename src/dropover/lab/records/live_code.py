"""What a function consists of that no file holds: its compiled code, and what it reads of the same notebook."""

import functools
import pickle
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dropover.lab.digests import of_bytes, of_plain


@dataclass
class LiveCode:
    """Digests of a function, and of each function, class and value that it reads, by name.

    `installed` are the modules that it reads of which are not the user's. A value that can't be told from another,
    because it can't be pickled, has another digest each time.
    """

    is_own: Callable[[str], bool]
    digests: dict[str, str] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)


def live_code(function: Callable[..., Any], is_own: Callable[[str], bool]) -> LiveCode:
    """What a function rests on as this process has it, followed through its globals, closures and the user's modules.

    Code is told by what it compiles to, so that comments, line breaks and the place in the notebook don't count, nor
    what became of a module's file since it was imported.

    Args:
        function: Where to begin.
        is_own: Whether a module of that name is the user's own.
    """
    live = LiveCode(is_own)
    _take(getattr(function, "__qualname__", type(function).__name__), function, live)
    return live


def _take(name: str, value: Any, live: LiveCode) -> None:
    if isinstance(value, types.ModuleType):
        _take_module(value, live)
    elif isinstance(value, functools.partial):
        _take(name, value.func, live)
        _take(f"{name} arguments", (value.args, value.keywords), live)
    elif isinstance(value, types.MethodType):
        _take(name, value.__func__, live)
        _take(f"{name} self", value.__self__, live)
    elif isinstance(value, types.FunctionType | type) and not _is_here(value, live):
        live.installed.add(value.__module__)
    elif name in live.digests:
        return
    elif isinstance(value, types.FunctionType):
        live.digests[name] = of_plain([_code(value.__code__), _plain(value.__defaults__), _plain(value.__kwdefaults__)])
        for other, read in _reads(value):
            _take(other, read, live)
    elif isinstance(value, type):
        live.digests[name] = of_plain([base.__qualname__ for base in value.__bases__])
        for other, read in vars(value).items():
            inner = read.fget if isinstance(read, property) else getattr(read, "__func__", read)
            if isinstance(inner, types.FunctionType) or not other.startswith("__"):
                _take(f"{name}.{other}", inner, live)
        for base in value.__bases__:
            _take(base.__qualname__, base, live)
    else:
        live.digests[name] = _plain(value)


def _take_module(module: types.ModuleType, live: LiveCode) -> None:
    """All that a module of the user's defines: which of it a function reads by a dot is not followed."""
    name = module.__name__
    if not live.is_own(name):
        live.installed.add(name)
    elif name not in live.digests:
        live.digests[name] = ""
        for key, value in vars(module).items():
            if not key.startswith("__") and getattr(value, "__module__", name) == name:
                _take(f"{name}.{key}", value, live)


def _is_here(value: Any, live: LiveCode) -> bool:
    """Whether a function or class is the user's: made in the notebook, at the prompt, or in a module of his."""
    return value.__module__ == "__main__" or "<locals>" in value.__qualname__ or live.is_own(value.__module__)


def _reads(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a function reads, and what it encloses."""
    for name in sorted(_names(function.__code__) & {*function.__globals__}):
        yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _names(code: types.CodeType) -> set[str]:
    inner = (_names(each) for each in code.co_consts if isinstance(each, types.CodeType))
    return {*code.co_names}.union(*inner)


def _code(code: types.CodeType) -> str:
    constants = [_code(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return of_plain([code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars])


def _plain(value: Any) -> str:
    try:
        return of_bytes(pickle.dumps(value, protocol=4))
    except Exception:
        return f"another each time: {uuid.uuid4()}"
