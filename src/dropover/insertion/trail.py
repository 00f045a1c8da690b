"""Where the channels are at places that no class tells of, seen in one run of the model on an example.

An activation's input is the very tensor that a convolution gave, a block's output the very tensor that the next one's
convolution takes: what is known of the convolution is known of it. A tensor that a function made on the way, such as a
permutation or a sum, is another one.
"""

from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

from dropover.insertion.channels import Channels, channels_at, channels_of, keeps_channels
from dropover.insertion.hooks import first_tensor
from dropover.insertion.matching import Positions
from dropover.insertion.rehearsal import run_quietly

Place = tuple[nn.Module, str]
_Key = tuple[int, tuple[int, ...]]


class _Trail:
    """What is known of the tensors that modules gave or took."""

    def __init__(self, names: Positions) -> None:
        self._names = names
        self._gave: dict[_Key, Channels] = {}
        self._took: dict[_Key, Channels] = {}
        self._held: list[Tensor] = []  # so that no other tensor gets the place in memory of one

    def key(self, x: Tensor) -> _Key:
        """The tensor as long as it keeps its shape."""
        self._held.append(x)
        return id(x), tuple(x.shape)

    def at(self, key: _Key) -> Channels | None:
        """What is known of a tensor."""
        return self._gave.get(key) or self._took.get(key)

    def enters(self, module: nn.Module, x: Tensor) -> None:
        """Note what a module that takes `x` tells of it."""
        told = self._told(module)
        if told is not None and not told.sizes:
            self._took.setdefault(self.key(x), told)

    def leaves(self, module: nn.Module, given: Tensor | None, x: Tensor) -> None:
        """Note what a module that gives `x`, having been given another tensor, tells of it."""
        key, told = self.key(x), self._told(module)
        if told is not None and not told.sizes:
            self._gave[key] = told
        elif key in self._gave:
            return  # one of its parts gave it, which tells more than that all parts agree
        elif told is not None and told.fit(tuple(x.shape)):
            self._gave[key] = told
        elif keeps_channels(module) and given is not None:
            known = self._gave.get(self.key(given))
            if known is not None:
                self._gave[key] = known

    def _told(self, module: nn.Module) -> Channels | None:
        told = channels_of(module)
        return None if told is None else told.of(self._names[module][0])


def found_channels(
    model: nn.Module, names: Positions, places: Collection[Place], example: Tensor | tuple[Any, ...] | None
) -> dict[Place, Channels | None]:
    """Where the channels are at places of a model.

    Args:
        model: the model; it is as it was afterwards.
        names: its modules' names.
        places: a module and "before", "after" or "instead" each.
        example: what the model is run on once, where the modules alone leave a doubt; None for no run.

    Returns:
        What is known of each place; None where nothing is.
    """
    told = {place: channels_at(names, *place) for place in places}
    unsure = [place for place, channels in told.items() if channels is None or channels.sizes]
    if unsure and example is not None:
        seen = _seen(model, names, example, unsure)
        told.update({place: each for place, each in seen.items() if told[place] is None or not each.sizes})
    return told


def _seen(
    model: nn.Module, names: Positions, example: Tensor | tuple[Any, ...], wanted: Collection[Place]
) -> dict[Place, Channels]:
    """Where the channels are at the places of which a run on the example tells; all calls of a place must agree."""
    trail = _Trail(names)
    seen: dict[Place, list[_Key]] = {place: [] for place in wanted}

    def pass_by(module: nn.Module, side: str, x: Tensor) -> None:
        if (module, side) in seen:
            seen[module, side].append(trail.key(x))

    def before(module: nn.Module, args: tuple[Any, ...]) -> None:
        given = first_tensor(args)
        if given is not None:
            trail.enters(module, given)
            pass_by(module, "before", given)

    def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        made = first_tensor(output)
        if made is not None:
            trail.leaves(module, first_tensor(args), made)
            pass_by(module, "after", made)

    handles = [module.register_forward_pre_hook(before) for module in names]
    handles += [module.register_forward_hook(after) for module in names]
    try:
        run_quietly(model, example)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for place, keys in seen.items():
        told = [trail.at(key) for key in keys]
        if told and told[0] is not None and {each and each.dim for each in told} == {told[0].dim}:
            found[place] = told[0]
    return found
