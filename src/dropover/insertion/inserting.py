"""Layers before or after modules of an existing model."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from dropover.insertion.channels import looks_at_samples
from dropover.insertion.hooks import SIDES
from dropover.insertion.hosts import batch_first, batch_first_at
from dropover.insertion.names import Key, ModuleNames, quoted, suggestion
from dropover.insertion.placing import Wish, copy_for, place
from dropover.insertion.plan import Placement, Plan
from dropover.insertion.refusals import check_position


def insert(
    model: nn.Module,
    positions: Mapping[Key, nn.Module | tuple[str, nn.Module]] | Plan,
    *,
    example: Tensor | tuple[Any, ...] | None = None,
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
    copies = [
        dataclasses.replace(wish, layer=copy_for(f"{wish.side} {quoted(names.of[wish.host][0])}", wish.layer))
        for wish in wishes
    ]
    plan = place(model, names, copies, example)
    return dataclasses.replace(plan, notes=_doubts(names, plan.placements))


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
    kind = f"{quoted(names.of[second][0])} ({type(second).__name__}, batch_first=False)"
    return (f"samples are taken from dimension 0 at {', '.join(first)}; {kind} has them in dimension 1",)


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
                where = quoted(names.of[host][0])
                raise ValueError(f"{_spelled(earlier)} and {_spelled(key)} both put a layer {side} {where}")
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
