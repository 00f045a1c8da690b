"""Modules of an existing model exchanged for others, such as its dropout for another."""

import dataclasses
import inspect
from collections.abc import Callable

from torch import nn

from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.insertion.names import Key, ModuleNames, quoted
from dropover.insertion.placing import Wish, copy_for, place
from dropover.insertion.plan import Plan
from dropover.insertion.refusals import check_position
from dropover.regularizer import Regularizer

Make = nn.Module | type[nn.Module] | Callable[[nn.Module], nn.Module]

# Where modules keep dropout rates as plain numbers that they apply as a function, so that no layer can be put there.
_FUNCTIONAL_RATES = ("dropout", "attention_dropout", "attn_drop_p", "drop_rate")


def replace(model: nn.Module, kind: Key, make: Make) -> Plan:
    """Exchange modules of a model for others.

    Args:
        model: any module that is not compiled or scripted yet; changed in place.
        kind: which: a module type, a name or a glob pattern, as in `insert`.
        make: what comes instead of each old module, once if it is shared: a layer, of which each place gets a copy; a
            class of layers, made at its defaults but for a dropout's rate `p`, which goes over where both have one; or
            a function that is called with the old module and returns the new one, or the old one to leave it. The new
            one gets the old one's training flag and device.

    Returns:
        The record of what was replaced; `plan.replaced` is {name: (old, new)}, `plan.remove()` puts the old modules
        back. If dropout is replaced, `plan.notes` names the rates that the model applies as a function, which stay.

    Raises:
        TypeError: `make` is something else, or returns something else than a module; a layer that can't be copied, or a
            class that needs settings.
        ValueError: nothing matches, the root does, or a replacement would have no effect or change the state_dict; or
            the dimension of the channels, which the new layer has to know, can't be known there.
            The model is unchanged after any error.

    Example:
        >>> plan = replace(model, torch.nn.Dropout, Flipover(0.1))
        >>> plan = replace(model, torch.nn.Dropout, lambda old: Flipover(old.p / 2))
    """
    if isinstance(make, type) and not issubclass(make, nn.Module):
        raise TypeError(f"make: a class must be a subclass of torch.nn.Module, got {make.__name__}")
    if not callable(make):
        raise TypeError(
            f"make must be a layer (each place gets a copy), a class of layers, or a function that returns the new "
            f"module for the old one, got {make!r}"
        )
    names = ModuleNames(model)
    stay = _functional_rates(names) if isinstance(kind, type) and issubclass(kind, TORCH_DROPOUTS) else []
    try:
        hosts = names.matching(kind)
    except ValueError as error:
        if not stay:
            raise
        raise ValueError(f"{error}; applied as a function, and so out of reach: {'; '.join(stay)}") from error
    wishes = []
    for old in hosts:
        check_position(names, old)
        new = _make(make, old, names)
        if new is not old:
            wishes.append(Wish(old, "instead", new))
    plan = place(model, names, wishes)
    return dataclasses.replace(plan, notes=tuple(f"{each} is applied as a function and stays" for each in stay))


def _make(make: Make, old: nn.Module, names: ModuleNames) -> nn.Module:
    """The module that comes instead of `old`."""
    where = f"instead of {names.label(old)}"
    if isinstance(make, nn.Module):
        return copy_for(where, make)
    if isinstance(make, type):
        return _of_class(make, old, where)
    new = make(old)
    if not isinstance(new, nn.Module):
        raise TypeError(f"make must return a torch.nn.Module, got {new!r} for {quoted(names.of[old][0])}")
    return new


def _of_class(kind: type[nn.Module], old: nn.Module, where: str) -> nn.Module:
    """A module of a class at its defaults; a dropout's rate `p` goes over to a class that has one."""
    parameters = inspect.signature(kind).parameters
    carries = "p" in parameters and isinstance(old, (*TORCH_DROPOUTS, Regularizer)) and hasattr(old, "p")
    settings = {"p": old.p} if carries else {}
    unnamed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        name
        for name, parameter in parameters.items()
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


def _functional_rates(names: ModuleNames) -> list[str]:
    """The rates above 0 that modules apply as a function, one description for all modules of a kind."""
    groups: dict[tuple[str, str, float], list[str]] = {}
    for module, (name, *_) in names.of.items():
        for attribute in _FUNCTIONAL_RATES:
            rate = vars(module).get(attribute)
            if isinstance(rate, float) and rate > 0 and _reads(module, attribute):
                groups.setdefault((attribute, type(module).__name__, rate), []).append(name or "the root")
    return [
        f"{attribute}={rate:g} of {kind} at {places[0]}" + (f" and {len(places) - 1} more" if len(places) > 1 else "")
        for (attribute, kind, rate), places in groups.items()
    ]


def _reads(module: nn.Module, attribute: str) -> bool:
    # Some modules keep a rate only to pass it to their children when they are made.
    functions = [getattr(type(module), name) for name in dir(type(module)) if name.startswith("forward")]
    return any(attribute in code.co_names for code in (getattr(each, "__code__", None) for each in functions) if code)
