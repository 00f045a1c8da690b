"""What a function consists of that no file holds: its compiled code, and what it reads of the same notebook."""

import io
import pickle
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from dropover.lab.digests import of_bytes, of_plain, of_tensors


@dataclass
class LiveCode:
    """Digests of a function, and of each function, class and value that it reads, by name.

    `installed` are the modules that it reads of which are not the user's. A value that can't be told from another,
    because it can't be pickled, has another digest each time.
    """

    is_own: Callable[[str], bool]
    digests: dict[str, str] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    """What the functions, classes and modules are called that have been taken, by their identity."""

    def name(self, wanted: str) -> str:
        """A name that nothing else has: others may be called the same elsewhere."""
        while wanted in self.digests:
            wanted += "'"
        self.digests[wanted] = ""
        return wanted


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


def _take(name: str, value: Any, live: LiveCode) -> str:
    """Take up what is called so, and all that it reads; what it is called then."""
    if not isinstance(value, types.ModuleType | types.FunctionType | type):
        name = live.name(name)
        live.digests[name] = _pickled(value, live)
        return name
    if not _is_users(value, live):
        live.installed.add(_module_of(value))
        return name
    if id(value) not in live.names:
        live.names[id(value)] = name = live.name(name)
        if isinstance(value, types.FunctionType):
            live.digests[name] = of_plain([_code(value.__code__), _pickled(_defaults(value), live)])
        elif isinstance(value, type):
            live.digests[name] = of_plain([base.__qualname__ for base in value.__bases__])
        for other, read in _reads(name, value):
            _take(other, read, live)
    return live.names[id(value)]


def _reads(name: str, value: types.ModuleType | types.FunctionType | type) -> Iterator[tuple[str, Any]]:
    """The globals that a function reads, and what it encloses; what a class has, and its bases; what a module defines.

    Which of a module a function reads by a dot isn't followed: all of it counts.
    """
    if isinstance(value, types.FunctionType):
        for read in sorted(_names(value.__code__) & {*value.__globals__}):
            yield read, value.__globals__[read]
        for read, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield read, cell.cell_contents
            except ValueError:  # not assigned yet
                continue
    elif isinstance(value, type):
        for key, part in vars(value).items():
            inner = part.fget if isinstance(part, property) else getattr(part, "__func__", part)
            if isinstance(inner, types.FunctionType) or not key.startswith("__"):
                yield f"{name}.{key}", inner
        yield from ((base.__qualname__, base) for base in value.__bases__)
    else:
        for key, part in vars(value).items():
            if not key.startswith("__") and getattr(part, "__module__", name) == name:
                yield f"{name}.{key}", part


def _is_users(value: types.ModuleType | types.FunctionType | type, live: LiveCode) -> bool:
    """Whether it is the user's: made in the notebook, at the prompt, or in a module of his."""
    if live.is_own(_module_of(value)):
        return True
    return not isinstance(value, types.ModuleType) and (
        value.__module__ == "__main__" or "<locals>" in value.__qualname__
    )


def _module_of(value: types.ModuleType | types.FunctionType | type) -> str:
    return value.__name__ if isinstance(value, types.ModuleType) else value.__module__


def _defaults(function: types.FunctionType) -> tuple[Any, Any]:
    return function.__defaults__, function.__kwdefaults__


def _names(code: types.CodeType) -> set[str]:
    inner = (_names(each) for each in code.co_consts if isinstance(each, types.CodeType))
    return {*code.co_names}.union(*inner)


def _code(code: types.CodeType) -> str:
    return of_plain(
        [code.co_code.hex(), [*map(_constant, code.co_consts)], code.co_names, code.co_varnames, code.co_freevars]
    )


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return _code(value)
    # The members of a set come in another order in each process.
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


class _Pickler(pickle.Pickler):
    """Pickles a value, and takes up the user's functions and classes in it, which pickle knows by name alone."""

    def __init__(self, file: io.BytesIO, live: LiveCode) -> None:
        super().__init__(file, protocol=4)
        self._live = live

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tensor):  # torch pickles the same tensor in other words each time
            return str, (of_tensors({"": value}),)
        if not isinstance(value, types.ModuleType | types.FunctionType | type):
            return NotImplemented
        if not isinstance(value, types.ModuleType) and not _is_users(value, self._live):
            self._live.installed.add(_module_of(value))
            return NotImplemented
        return str, (_take(value.__name__, value, self._live),)


def _pickled(value: Any, live: LiveCode) -> str:
    file = io.BytesIO()
    try:
        _Pickler(file, live).dump(value)
    except Exception:
        return f"another each time: {uuid.uuid4()}"
    return of_bytes(file.getvalue())
