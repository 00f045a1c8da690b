"""The two ways to put layers into an existing model: beside its modules, or instead of them."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence

from torch import nn

from dropover.insertion.channels import looks_at_samples
from dropover.insertion.hooks import SIDES
from dropover.insertion.hosts import batch_first, batch_first_at
from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.insertion.modes import Example
from dropover.insertion.names import Key, ModuleNames, quoted, suggestion
from dropover.insertion.placing import Wish, copy_for, place
from dropover.insertion.plan import Placement, Plan
from dropover.insertion.refusals import check_position
from dropover.regularizer import Regularizer

Make = nn.Module | type[nn.Module] | Callable[[nn.Module], nn.Module]

# Where modules keep dropout rates as plain numbers that they apply as a function, so that no layer can be put there.
_FUNCTIONAL_RATES = ("dropout", "attention_dropout", "attn_drop_p", "drop_rate")


def insert(
    model: nn.Module,
    positions: Mapping[Key, nn.Module | tuple[str, nn.Module]] | Plan,
    *,
    example: Example | None = None,
) -> Plan:
    """Put layers before or after modules of a model; its state_dict and its classes stay as they are.

    A layer for which it matters which dimension holds the channels, and which wasn't told by `channel_dim`, takes it
    from its position: the last beside `Linear`, `LayerNorm`, `Embedding`, `GRU` and attention, dimension 1 beside
    convolutions, norms and poolings of maps. The plan shows it.

    Args:
        model: any module that is not compiled or scripted yet; changed in place.
        positions: from a name ("layer4.0"; the root is ""), a glob pattern ("blocks.*.mlp", matched segment by
            segment) or a module type, to a layer or to ("before", layer) or ("after", layer); after is the default.
            Each matching module gets a copy of the layer of its own, a shared module one. Or a plan, such as
            `Plan.from_json` gives.
        example: an input, or a tuple of positional arguments, to run the model on once, in evaluation mode and
            without gradient. It finds positions that are never called or that don't fit the layer, which else show
            up when the model runs, or not at all; and which dimension holds the channels after an activation.

    Returns:
        The record of what was put where; `plan.remove()` undoes it.

    Raises:
        TypeError: a position or layer of the wrong kind.
        ValueError: nothing matches, two keys mean the same side of a module, a layer would have no effect, or the
            dimension of the channels can't be known (without `example`, the model raises it when it runs).
            The model is unchanged after any error.

    Example:
        >>> plan = insert(model, {"layer4.0": Flipover(0.3, 0.5), "avgpool": ("before", DensityDropout(2))})
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    names = ModuleNames(model)
    wishes = _of_plan(names, positions) if isinstance(positions, Plan) else _of_mapping(names, positions)
    for wish in wishes:
        check_position(names, wish.host)
    copies = [copy_for(f"{wish.side} {names.quoted(wish.host)}", wish.layer) for wish in wishes]
    wishes = [dataclasses.replace(wish, layer=layer) for wish, layer in zip(wishes, copies, strict=True)]
    plan = place(model, names, wishes, example)
    return dataclasses.replace(plan, notes=_doubts(names, plan.placements))


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


def _doubts(names: ModuleNames, placements: Sequence[Placement]) -> tuple[str, ...]:
    """A note for a model of sequences that has samples in dimension 1 somewhere, on layers that take them from 0."""
    second = next((module for module in names.of if batch_first(module) is False), None)
    first = [
        quoted(each.names[0])
        for each in placements
        if looks_at_samples(each.layer) and batch_first_at(names, names.module[each.names[0]]) is None
        if each.channels is None or each.channels.dim == -1
    ]
    if second is None or not first:
        return ()
    where = f"{names.quoted(second)} ({type(second).__name__}, batch_first=False)"
    return (f"samples are taken from dimension 0 at {', '.join(first)}; {where} has them in dimension 1",)


def _of_mapping(names: ModuleNames, positions: Mapping[Key, nn.Module | tuple[str, nn.Module]]) -> list[Wish]:
    if not isinstance(positions, Mapping):
        raise TypeError(f"positions must map names to layers, or be a Plan, got {type(positions).__name__}")
    if not positions:
        raise ValueError("positions is empty: name at least one position")
    keys: dict[tuple[nn.Module, str], Key] = {}
    wishes = []
    for key, value in positions.items():
        side, layer = _side_and_layer(key, value)
        for host in names.matching(key):
            earlier = keys.setdefault((host, side), key)
            if earlier is not key:
                both = f"{_spelled(earlier)} and {_spelled(key)} both"
                raise ValueError(f"{both} put a layer {side} {names.quoted(host)}")
            wishes.append(Wish(host, side, layer))
    order = {host: index for index, host in enumerate(names.of)}
    return sorted(wishes, key=lambda wish: order[wish.host])


def _of_plan(names: ModuleNames, plan: Plan) -> list[Wish]:
    if not plan.placements:
        raise ValueError("the plan has no placements")
    wishes = []
    for each in plan.placements:
        for name in each.names:
            if name not in names.module:
                raise ValueError(f"the plan's position {name!r} is not in the model: {suggestion(name, names.module)}")
        host, *others = {names.module[name] for name in each.names}
        if others:
            raise ValueError(f"{', '.join(map(repr, each.names))} are one shared module in the plan, not in the model")
        wishes.append(Wish(host, each.side, each.layer, each.channels_of_model))
    return wishes


def _side_and_layer(key: Key, value: object) -> tuple[str, nn.Module]:
    side, layer = value if isinstance(value, tuple) and len(value) == 2 else ("after", value)
    if not isinstance(side, str) or side not in SIDES:
        raise ValueError(f"{_spelled(key)}: the side must be 'before' or 'after', got {side!r}")
    if isinstance(layer, type) and issubclass(layer, nn.Module):
        raise TypeError(
            f"{_spelled(key)}: the layer must be made first, as {layer.__name__}(...), got the class itself"
        )
    if not isinstance(layer, nn.Module):
        raise TypeError(f"{_spelled(key)}: must be a layer or a pair of a side and a layer, got {value!r}")
    return side, layer


def _spelled(key: Key) -> str:
    return repr(key) if isinstance(key, str) else getattr(key, "__name__", repr(key))


def _make(make: Make, old: nn.Module, names: ModuleNames) -> nn.Module:
    """The module that comes instead of `old`."""
    where = f"instead of {names.label(old)}"
    if isinstance(make, nn.Module):
        return copy_for(where, make)
    if isinstance(make, type):
        return _of_class(make, old, where)
    new = make(old)
    if not isinstance(new, nn.Module):
        raise TypeError(f"make must return a torch.nn.Module, got {new!r} for {names.quoted(old)}")
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
