"""Modules of an existing model exchanged for others, such as its dropout for another."""

from collections.abc import Callable

from torch import nn

from dropover.insertion import refusals
from dropover.insertion.changes import Change, undo_all
from dropover.insertion.functional_rates import functional_rates
from dropover.insertion.hooks import shown
from dropover.insertion.inserting import free_of_fusion
from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.insertion.matching import matched, names_of
from dropover.insertion.plan import Placement, Plan
from dropover.insertion.swapping import check_swaps, fitted, swap


def replace(model: nn.Module, kind: str | type[nn.Module], make: Callable[[nn.Module], nn.Module]) -> Plan:
    """Exchange modules of a model for others.

    Args:
        model: any module that is not compiled or scripted yet; changed in place.
        kind: which: a module type, a name or a glob pattern, as in `insert`.
        make: called with each old module, once if it is shared; returns the new one, which gets the old one's
            training flag and device. Returning the old one leaves it.

    Returns:
        The record of what was replaced; `plan.replaced` is {name: (old, new)}, `plan.remove()` puts the old modules
        back. If dropout is replaced, `plan.notes` names the rates that the model applies as a function, which stay.

    Raises:
        TypeError: `make` returns something else than a module.
        ValueError: nothing matches, the root does, or a replacement would have no effect or change the state_dict.
            The model is unchanged after any error.

    Example:
        >>> plan = replace(model, torch.nn.Dropout, lambda old: Flipover(old.p))
    """
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
    for old in found:
        refusals.check(known, old)
        new = make(old)
        if not isinstance(new, nn.Module):
            raise TypeError(f"make must return a torch.nn.Module, got {new!r} for {shown(known[old][0])}")
        if new is not old:
            swaps[old] = fitted(known, old, new)
    check_swaps(known, swaps)
    changes: list[Change] = []
    placements = []
    try:
        for old, new in swaps.items():
            note = free_of_fusion(known, old, new, changes)
            changes.extend(swap(known, old, new))
            placements.append(Placement(known[old], "instead", type(old).__name__, new, note))
    except BaseException:
        undo_all(changes)
        raise
    notes = tuple(f"{each} is applied as a function and stays" for each in stay)
    replaced = {known[old][0]: (old, new) for old, new in swaps.items()}
    return Plan(tuple(placements), notes, replaced, changes)
