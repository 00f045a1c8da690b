"""Layers before or after modules of an existing model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from dropover.insertion import refusals
from dropover.insertion.changes import Change, FusedOff, Hooked, undo_all
from dropover.insertion.channels import Channels, batch_first, batch_first_at
from dropover.insertion.hooks import SIDES, shown
from dropover.insertion.layers import may_act
from dropover.insertion.making import copied
from dropover.insertion.matching import Positions, matched, names_of, suggestion
from dropover.insertion.plan import Placement, Plan
from dropover.insertion.rehearsal import rehearse
from dropover.insertion.settling import asks_for_channels, looks_at_samples, settle
from dropover.insertion.swapping import check_swaps, fitted, settle_swap, swap
from dropover.insertion.trail import found_channels

Key = str | type[nn.Module]


@dataclass(frozen=True)
class Wish:
    """One layer wanted at one host, with what is known there of the channels."""

    host: nn.Module
    side: str
    layer: nn.Module
    channels: Channels | None = None


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
    known = names_of(model)
    wishes = _of_plan(known, positions) if isinstance(positions, Plan) else _of_mapping(known, positions)
    for wish in wishes:
        refusals.check(known, wish.host)
    wishes = _informed(model, known, wishes, example)
    swaps = {
        wish.host: fitted(known, wish.host, copied(wish.layer, f"instead of {shown(known[wish.host][0])}"))
        for wish in wishes
        if wish.side == "instead"
    }
    check_swaps(known, swaps)
    changes: list[Change] = []
    try:
        placements = _place(known, wishes, swaps, changes)
        if example is not None:
            hosts = [swaps.get(wish.host, wish.host) for wish in wishes]
            rehearse(model, example, list(zip(hosts, placements, strict=True)))
    except BaseException:
        undo_all(changes)
        raise
    replaced = {known[host][0]: (host, new) for host, new in swaps.items()}
    return Plan(tuple(placements), _doubts(known, wishes, placements), replaced, changes)


def _informed(
    model: nn.Module, known: Positions, wishes: list[Wish], example: Tensor | tuple[Any, ...] | None
) -> list[Wish]:
    """The wishes with what is known of the channels, for the layers that ask."""
    asking = [(wish.host, wish.side) for wish in wishes if wish.channels is not None or asks_for_channels(wish.layer)]
    told = found_channels(model, known, asking, example)
    return [replace(wish, channels=_agreed(wish.channels, told.get((wish.host, wish.side)))) for wish in wishes]


def _agreed(planned: Channels | None, told: Channels | None) -> Channels | None:
    """A plan's word holds; where the model says the same, it is looked at as the model's is."""
    if planned is None or told is None or told.dim != planned.dim:
        return planned or told
    return replace(told, source=planned.source)


def _doubts(known: Positions, wishes: list[Wish], placements: list[Placement]) -> tuple[str, ...]:
    """A note for a model of sequences that has samples in dimension 1 somewhere, on layers that take them from 0."""
    second = next((module for module in known if batch_first(module) is False), None)
    taken = [
        shown(placement.names[0])
        for wish, placement in zip(wishes, placements, strict=True)
        if looks_at_samples(placement.layer) and batch_first_at(known, wish.host) is None
        if placement.channels is None or placement.channels.dim == -1
    ]
    if second is None or not taken:
        return ()
    kind = f"{shown(known[second][0])} ({type(second).__name__}, batch_first=False)"
    return (f"samples are taken from dimension 0 at {', '.join(taken)}; {kind} has them in dimension 1",)


def _place(
    known: Positions, wishes: list[Wish], swaps: dict[nn.Module, nn.Module], changes: list[Change]
) -> list[Placement]:
    placements: list[Placement] = []
    for wish in wishes:
        names, host = known[wish.host], wish.host
        if wish.side == "instead":
            layer = swaps[host]
            channels = settle_swap(known, host, layer, wish.channels)
            note = free_of_fusion(known, host, layer, changes)
            changes.extend(swap(known, host, layer))
        else:
            layer = copied(wish.layer, f"{wish.side} {shown(names[0])}").train(host.training)
            channels = settle(layer, wish.channels)
            note = free_of_fusion(known, host, layer, changes)
            hook = SIDES[wish.side](layer, names[0])
            hook.channels = channels
            hook.batch_first = batch_first_at(known, host) if looks_at_samples(layer) else None
            if hook.batch_first is False:
                note = "; ".join(each for each in (note, "samples are dimension 1 (batch_first=False)") if each)
            hook.attach(host)
            changes.append(Hooked(hook))
        placements.append(Placement(names, wish.side, type(wish.host).__name__, layer, note, channels))
    return placements


def free_of_fusion(known: Positions, host: nn.Module, layer: nn.Module, changes: list[Change]) -> str:
    """Turn fused attention off where it would bypass the layer; returns the note that says so."""
    blocks = refusals.fused_blocks(known, host)
    if not blocks:
        return ""
    if not may_act(layer):
        return "its rate is 0: fused attention stays on, so the layer is not called; place it again with a rate"
    for block in blocks:
        setattr(block, "fused_attn", False)  # noqa: B010
        changes.append(FusedOff(known[block][0], block, refusals.BYPASSED))
    return "fused attention turned off, since it reads .p and calls no layer; results differ by rounding"


def _of_mapping(known: Positions, positions: Mapping[Key, nn.Module | tuple[str, nn.Module]]) -> list[Wish]:
    if not isinstance(positions, Mapping):
        raise TypeError(f"positions must map names to layers, or be a Plan, got {type(positions).__name__}")
    if not positions:
        raise ValueError("positions is empty: name at least one position")
    taken: dict[tuple[nn.Module, str], Key] = {}
    wishes = {}
    for key, value in positions.items():
        side, layer = _side_and_layer(key, value)
        for host in matched(known, key):
            if (host, side) in taken:
                raise ValueError(
                    f"{_key(taken[host, side])} and {_key(key)} both put a layer {side} {shown(known[host][0])}"
                )
            taken[host, side] = key
            wishes[host, side] = Wish(host, side, layer)
    order = {host: index for index, host in enumerate(known)}
    return sorted(wishes.values(), key=lambda wish: order[wish.host])


def _of_plan(known: Positions, plan: Plan) -> list[Wish]:
    if not plan.placements:
        raise ValueError("the plan has no placements")
    by_name = {name: module for module, names in known.items() for name in names}
    wishes = []
    for each in plan.placements:
        for name in each.names:
            if name not in by_name:
                raise ValueError(f"the plan's position {name!r} is not in the model: {suggestion(name, by_name)}")
        hosts = {by_name[name] for name in each.names}
        if len(hosts) > 1:
            raise ValueError(f"{', '.join(map(repr, each.names))} are one shared module in the plan, not in the model")
        wishes.append(Wish(hosts.pop(), each.side, each.layer, each.found_channels))
    return wishes


def _side_and_layer(key: Key, value: object) -> tuple[str, nn.Module]:
    side, layer = value if isinstance(value, tuple) and len(value) == 2 else ("after", value)
    if not isinstance(side, str) or side not in SIDES:
        raise ValueError(f"{_key(key)}: the side must be 'before' or 'after', got {side!r}")
    if isinstance(layer, type) and issubclass(layer, nn.Module):
        raise TypeError(f"{_key(key)}: the layer must be made first, as {layer.__name__}(...), got the class itself")
    if not isinstance(layer, nn.Module):
        raise TypeError(f"{_key(key)}: must be a layer or a pair of a side and a layer, got {value!r}")
    return side, layer


def _key(key: Key) -> str:
    return repr(key) if isinstance(key, str) else getattr(key, "__name__", repr(key))
