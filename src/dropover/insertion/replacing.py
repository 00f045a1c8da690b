"""Modules of an existing model exchanged for others, such as its dropout for another."""

from torch import nn

from dropover.insertion import refusals
from dropover.insertion.changes import Change, undo_all
from dropover.insertion.channels import Channels, channels_at
from dropover.insertion.functional_rates import functional_rates
from dropover.insertion.inserting import free_of_fusion
from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.insertion.making import Make, check_make, made
from dropover.insertion.matching import matched, names_of
from dropover.insertion.plan import Placement, Plan
from dropover.insertion.settling import asks_for_channels
from dropover.insertion.swapping import check_swaps, fitted, settle_swap, swap


def replace(model: nn.Module, kind: str | type[nn.Module], make: Make) -> Plan:
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
    check_make(make)
    known = names_of(model)
    dropout = isinstance(kind, type) and issubclass(kind, TORCH_DROPOUTS)
    stay = functional_rates(known) if dropout else []
    try:
        found = matched(known, kind)
    except ValueError as error:
        if not stay:
            raise
        raise ValueError(f"{error}; applied as a function, and so out of reach: {'; '.join(stay)}") from error
    swaps: dict[nn.Module, nn.Module] = {}
    channels: dict[nn.Module, Channels | None] = {}
    for old in found:
        refusals.check(known, old)
        new = made(make, old, known[old][0])
        if new is not old:
            swaps[old] = fitted(known, old, new)
    check_swaps(known, swaps)
    for old, new in swaps.items():
        told = channels_at(known, old, "instead") if asks_for_channels(new) else None
        channels[old] = settle_swap(known, old, new, told)
    changes: list[Change] = []
    placements = []
    try:
        for old, new in swaps.items():
            note = free_of_fusion(known, old, new, changes)
            changes.extend(swap(known, old, new))
            placements.append(Placement(known[old], "instead", type(old).__name__, new, note, channels[old]))
    except BaseException:
        undo_all(changes)
        raise
    notes = tuple(f"{each} is applied as a function and stays" for each in stay)
    replaced = {known[old][0]: (old, new) for old, new in swaps.items()}
    return Plan(tuple(placements), notes, replaced, changes)
