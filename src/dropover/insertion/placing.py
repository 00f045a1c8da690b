"""Layers put where they are wanted: hooked to one side of a host, or swapped for it; each change can be undone."""

import copy
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from dropover.insertion.channels import UNKNOWN, Channels, asks_for_channels, looks_at_samples, question, settle
from dropover.insertion.hooks import SIDES, inserted_at
from dropover.insertion.hosts import batch_first_at
from dropover.insertion.layers import acts_at_inference, may_act
from dropover.insertion.modes import Example, run_quietly
from dropover.insertion.names import ModuleNames, quoted, upwards
from dropover.insertion.plan import Change, Placement, Plan, undo_all
from dropover.insertion.refusals import BYPASSED, fused_blocks
from dropover.insertion.trail import find_channels
from dropover.regularizer import Regularizer


@dataclass(frozen=True)
class Wish:
    """A layer wanted "before" or "after" a host, or "instead" of it, with what a plan says of the channels there."""

    host: nn.Module
    side: str
    layer: nn.Module
    channels: Channels | None = None


@dataclass(frozen=True, eq=False)
class Swapped:
    """A child was replaced."""

    name: str
    parent: nn.Module
    attribute: str
    old: nn.Module
    new: nn.Module

    def obstacle(self, _layers: Collection[nn.Module]) -> str | None:
        """A later replacement in the same place."""
        untouched = self.parent._modules.get(self.attribute) is self.new
        return None if untouched else f"{quoted(self.name)} was replaced again since"

    def undo(self) -> None:
        """Put the old child back."""
        setattr(self.parent, self.attribute, self.old)


@dataclass(frozen=True, eq=False)
class FusedOff:
    """A block's fused attention was turned off, so that it calls the children that this bypasses."""

    name: str
    block: nn.Module

    def obstacle(self, layers: Collection[nn.Module]) -> str | None:
        """A later layer that needs the fused attention off as well."""
        for attribute in BYPASSED:
            child = self.block._modules.get(attribute)
            there = [] if child is None else [hook.layer for hook in inserted_at(child)]
            there += [child] if isinstance(child, Regularizer) else []
            if any(layer not in layers for layer in there):
                return f"another layer at {self.name + '.' + attribute!r} needs the fused attention off"
        return None

    def undo(self) -> None:
        """Turn the fused attention on again."""
        setattr(self.block, "fused_attn", True)  # noqa: B010


def copy_for(where: str, layer: nn.Module) -> nn.Module:
    """A copy of a layer for one place; `TypeError`, naming it, if the layer can't be copied."""
    try:
        return copy.deepcopy(layer)
    except Exception as error:  # whatever a module's own parts raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TypeError(
            f"{where}: each place gets a copy, and {type(layer).__name__} can't be copied: {reason}"
        ) from error


def place(model: nn.Module, names: ModuleNames, wishes: Sequence[Wish], example: Example | None = None) -> Plan:
    """Fulfil the wishes, in their order; the model is unchanged after any error.

    Raises:
        ValueError: a swap of the root, inside another, without effect, or that changes the state_dict; a layer that has
            to know the channels where nothing tells; a host that the example doesn't come to.
        TypeError: a host whose input or output on the example is no tensor.
    """
    asking = [(wish.host, wish.side) for wish in wishes if wish.channels is not None or asks_for_channels(wish.layer)]
    channels = find_channels(model, names, asking, example)
    swaps = {wish.host: _fit(names, wish.host, wish.layer) for wish in wishes if wish.side == "instead"}
    for host, layer in swaps.items():
        _check_swap(names, host, layer, swaps)
    placements: list[Placement] = []
    changes: list[Change] = []
    try:
        for wish in wishes:
            there = _reconcile(wish.channels, channels.get((wish.host, wish.side)))
            put = _swap if wish.side == "instead" else _hook
            placements.append(put(names, wish, there, changes))
        if example is not None:
            _rehearse(model, example, [swaps.get(wish.host, wish.host) for wish in wishes], placements)
    except BaseException:
        undo_all(changes)
        raise
    replaced = {names.of[host][0]: (host, layer) for host, layer in swaps.items()}
    return Plan(tuple(placements), (), replaced, changes)


def _reconcile(planned: Channels | None, seen: Channels | None) -> Channels | None:
    """A plan's word holds; where the model says the same, it is looked at as the model's is."""
    if planned is None or seen is None or seen.dim != planned.dim:
        return planned or seen
    return replace(seen, source=planned.source)


def _hook(names: ModuleNames, wish: Wish, channels: Channels | None, changes: list[Change]) -> Placement:
    host, layer = wish.host, wish.layer.train(wish.host.training)
    batch_first = batch_first_at(names, host) if looks_at_samples(layer) else None
    hook = SIDES[wish.side](layer, names.of[host][0], settle(layer, channels), batch_first)
    notes = [_free_of_fusion(names, host, layer, changes)]
    notes += ["samples are dimension 1 (batch_first=False)"] if batch_first is False else []
    hook.attach(host)
    changes.append(hook)
    note = "; ".join(filter(None, notes))
    return Placement(names.of[host], wish.side, type(host).__name__, layer, note, hook.channels)


def _swap(names: ModuleNames, wish: Wish, channels: Channels | None, changes: list[Change]) -> Placement:
    host, layer = wish.host, wish.layer
    where, kind = f"instead of {names.label(host)}", type(layer).__name__
    if looks_at_samples(layer) and batch_first_at(names, host) is False:
        raise ValueError(
            f"{kind} {where}: the samples are dimension 1 there, since batch_first=False, and the layer takes them "
            f"from dimension 0; insert() it after {names.quoted(host)}, where that is seen to"
        )
    # No hook stands by to see what passes, so that only what is certain will do.
    channels = settle(layer, None if channels is None or channels.sizes else channels)
    if channels == UNKNOWN:
        raise ValueError(question(layer, where))
    note = _free_of_fusion(names, host, layer, changes)
    slots: dict[tuple[nn.Module, str], str] = {}
    for name in names.of[host]:
        slots.setdefault(names.parent(name), name)
    for (parent, attribute), name in slots.items():
        setattr(parent, attribute, layer)
        changes.append(Swapped(name, parent, attribute, host, layer))
    return Placement(names.of[host], wish.side, type(host).__name__, layer, note, channels)


def _free_of_fusion(names: ModuleNames, host: nn.Module, layer: nn.Module, changes: list[Change]) -> str:
    """Turn fused attention off where it would bypass the layer; returns the note that says so."""
    blocks = fused_blocks(names, host)
    if not blocks:
        return ""
    if not may_act(layer):
        return "its rate is 0: fused attention stays on, so the layer is not called; place it again with a rate"
    for block, name in blocks.items():
        setattr(block, "fused_attn", False)  # noqa: B010
        changes.append(FusedOff(name, block))
    return "fused attention turned off, since it reads .p and calls no layer; results differ by rounding"


def _fit(names: ModuleNames, old: nn.Module, new: nn.Module) -> nn.Module:
    """`new` with the training flag and on the device of `old`, or of what is around an `old` without tensors."""
    new.train(old.training)
    for module in names.around(names.of[old][0]):
        for tensor in (*module.parameters(), *module.buffers()):
            return new.to(tensor.device)
    return new


def _check_swap(names: ModuleNames, old: nn.Module, new: nn.Module, swaps: Collection[nn.Module]) -> None:
    """Raise `ValueError` for a swap of the root, inside another, without effect, or that changes the state_dict."""
    for name in names.of[old]:
        if not name:
            raise ValueError("the root can't be replaced; insert(model, {'': layer}) puts a layer after it")
        outer = next((each for each in upwards(name)[1:-1] if names.module[each] in swaps), None)
        if outer is not None:
            raise ValueError(f"{name!r} lies within {outer!r}, which would be replaced too; name one of them")
        encoders = (each for each in names.around(name)[1:] if isinstance(each, nn.TransformerEncoderLayer))
        if acts_at_inference(new) and any(encoders):
            raise ValueError(
                f"{type(new).__name__} instead of {quoted(name)} would have no effect at inference, where the fast "
                f"path of TransformerEncoderLayer skips it; insert() before or after it turns that path off"
            )
    before, after = old.state_dict(), new.state_dict()
    where, prefix = f"{type(new).__name__} instead of {names.label(old)}", names.of[old][0]
    for key in before.keys() ^ after.keys():
        raise ValueError(
            f"{where} would {'add' if key in after else 'lose'} the state_dict key {prefix + '.' + key!r}, so that "
            f"weights would no longer load; insert() leaves the state_dict as it is"
        )
    for key, value in before.items():
        if not _same(value, after[key]):
            raise ValueError(f"{where} would change the value of {prefix + '.' + key!r} in the state_dict")


def _same(old: object, new: object) -> bool:
    if not isinstance(old, Tensor) or not isinstance(new, Tensor):
        return old is new or bool(old == new)
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    return old is new or old.data_ptr() == new.data_ptr() or bool((old == new.to(old.device)).all())


def _rehearse(model: nn.Module, example: Example, hosts: Sequence[nn.Module], placements: Sequence[Placement]) -> None:
    """Run the model on the example; `ValueError` for a host that is not called, or what an insertion raises."""
    called: set[nn.Module] = set()

    def note(module: nn.Module, _args: tuple[Any, ...]) -> None:
        called.add(module)

    with ExitStack() as hooks:
        for host in hosts:
            hooks.enter_context(host.register_forward_pre_hook(note))
        run_quietly(model, example)
    for host, placement in zip(hosts, placements, strict=True):
        if host not in called:
            raise ValueError(
                f"a layer {placement.side} {quoted(placement.names[0])} ({placement.host}) would have no effect: the "
                f"model doesn't call it on the example in evaluation mode"
            )
