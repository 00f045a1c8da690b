"""The user's own code by name: "module:factory", found in the current directory too."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from dropover.lab.blame import ForeignError, one_line

_HANDED_OVER: dict[str, Callable[..., Any]] = {}
"""Functions that only this process has: of a notebook, of a prompt, or written on the spot."""


def name_of(function: Callable[..., Any]) -> str:
    """The name by which `factory_named` finds a function: "module:name" where every process can import it.

    Else it is found in this process alone, as `is_handed_over` then says.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    named = f"{module}:{name}" if module and name else f":{type(function).__name__}"
    _HANDED_OVER.pop(named, None)
    if not _is_importable(function, str(module), str(name)):
        _HANDED_OVER[named] = function
    return named


def is_handed_over(name: str) -> bool:
    """Whether a function of that name is one that other processes can't import."""
    return name in _HANDED_OVER


def _is_importable(function: Callable[..., Any], module_name: str, name: str) -> bool:
    """Whether another process finds the same: a script is imported there by its file, a notebook has none."""
    found: Any = sys.modules.get(module_name)
    if module_name == "__main__" and not Path(str(getattr(found, "__file__", ""))).is_file():
        return False
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is function


def is_user_code(name: str) -> bool:
    """Whether `name` names a factory of the user's rather than an entry of a registry."""
    return ":" in name


def factory_named(name: str) -> Callable[..., Any]:
    """The callable that "module:factory" names.

    Raises:
        ValueError: there is no such module, or it has no such callable.
        ForeignError: it fails when it is imported.
    """
    if name in _HANDED_OVER:
        return _HANDED_OVER[name]
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"must be MODULE:FACTORY, such as my_package.my_module:make, got {name!r}")
    try:
        with current_directory_importable():
            factory: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ForeignError(f"module {module_name!r} can't be imported: {error}") from error
        raise ValueError(
            f"there is no module {module_name!r}: looked in the current directory, {Path.cwd()}, and among what is "
            f"installed"
        ) from None
    except KeyboardInterrupt:
        raise
    # A module may do anything, `sys.exit()` too.
    except BaseException as error:
        raise ForeignError(f"module {module_name!r} can't be imported: {one_line(error)}") from error
    for part in attribute.split("."):
        if not hasattr(factory, part):
            raise ValueError(f"module {module_name!r} has no {attribute!r}")
        factory = getattr(factory, part)
    if not callable(factory):
        raise ValueError(f"{name} must be a function or class, got {type(factory).__name__}")  # noqa: TRY004  # of a file
    return cast("Callable[..., Any]", factory)


@contextmanager
def current_directory_importable() -> Iterator[None]:
    """Have `import` look in the current directory first, for a while: installed commands don't."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)
