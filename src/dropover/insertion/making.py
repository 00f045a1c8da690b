"""What is put at a place: a copy of a layer, or what a class or a function makes of the module that was there."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from dropover.insertion.hooks import shown
from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.regularizer import Regularizer

Make = nn.Module | type[nn.Module] | Callable[[nn.Module], nn.Module]


def copied(layer: nn.Module, where: str) -> nn.Module:
    """A copy of a layer for one place.

    Raises:
        TypeError: a layer that can't be copied; the message names `where`.
    """
    try:
        return copy.deepcopy(layer)
    except Exception as error:  # whatever a module's own parts raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TypeError(
            f"{where}: each place gets a copy, and {type(layer).__name__} can't be copied: {reason}"
        ) from error


def check_make(make: object) -> None:
    """Raise `TypeError` for what is neither a layer nor a class of layers nor a function."""
    if isinstance(make, type) and not issubclass(make, nn.Module):
        raise TypeError(f"make: a class must be a subclass of torch.nn.Module, got {make.__name__}")
    if not callable(make):
        raise TypeError(
            f"make must be a layer (each place gets a copy), a class of layers, or a function that returns the new "
            f"module for the old one, got {make!r}"
        )


def made(make: Make, old: nn.Module, name: str) -> nn.Module:
    """The module that comes instead of `old`.

    Args:
        make: as for `replace`.
        old: what is there now.
        name: where, for errors.

    Raises:
        TypeError: a layer that can't be copied, a class that needs settings, or a function that returns no module.
        ValueError: a class that refuses the old module's rate.
    """
    where = f"instead of {shown(name)} ({type(old).__name__})"
    if isinstance(make, nn.Module):
        return copied(make, where)
    if isinstance(make, type):
        return _made_by_class(make, old, where)
    new = make(old)
    if not isinstance(new, nn.Module):
        raise TypeError(f"make must return a torch.nn.Module, got {new!r} for {shown(name)}")
    return new


def _made_by_class(kind: type[nn.Module], old: nn.Module, where: str) -> nn.Module:
    """A module of a class at its defaults; a dropout's rate `p` goes over to a class that has one."""
    known = inspect.signature(kind).parameters
    settings: dict[str, Any] = {}
    if "p" in known and isinstance(old, (*TORCH_DROPOUTS, Regularizer)) and hasattr(old, "p"):
        settings["p"] = old.p
    unnamed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        name
        for name, parameter in known.items()
        if parameter.default is parameter.empty and parameter.kind not in unnamed and name not in settings
    ]
    if needed:
        raise TypeError(
            f"{kind.__name__} {where}: the class needs {', '.join(needed)}; give a layer, or a function such as "
            f"lambda old: {kind.__name__}({', '.join(f'{name}=...' for name in needed)})"
        )
    try:
        return kind(**settings)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{kind.__name__} {where}: {error}") from error
