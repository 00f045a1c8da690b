"""Where the channels are at places that no class tells of, seen in one run of the model on an example.

An activation's input is the very tensor that a convolution gave: what is known of the convolution's output is known of
it. A tensor that a function made on the way, such as a permutation or a sum, is another one, of which nothing is known.
"""

from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

from dropover.insertion.channels import Channels, channels_of, keeps_channels
from dropover.insertion.hooks import first_tensor
from dropover.insertion.matching import Positions
from dropover.insertion.rehearsal import run_quietly

Place = tuple[nn.Module, str]


class _Trail:
    """What is known of the tensors that modules gave. It holds them, so that no other gets the place of one."""

    def __init__(self, names: Positions) -> None:
        self._names = names
        self._known: dict[int, tuple[Tensor, tuple[int, ...], Channels]] = {}

    def at(self, x: Tensor | None) -> Channels | None:
        """What is known of a tensor, where it has the shape that it had then."""
        if x is None or id(x) not in self._known:
            return None
        _, shape, channels = self._known[id(x)]
        return channels if tuple(x.shape) == shape else None

    def passed(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Note what is known of a module's output, by the module or by what it was given."""
        given, made = first_tensor(args), first_tensor(output)
        if made is None:
            return
        told = channels_of(module)
        if told is not None:
            told = told.of(self._names[module][0])
        # A block's parts may tell of the very tensor that it gives, which says more than that they agree.
        known = told if told is not None and not told.sizes else self.at(made)
        if known is None and keeps_channels(module):
            known = self.at(given)
        if known is None and told is not None and told.fit(tuple(made.shape)):
            known = told
        if known is not None:
            self._known[id(made)] = (made, tuple(made.shape), known)


def seen_channels(
    model: nn.Module, names: Positions, example: Tensor | tuple[Any, ...], wanted: Collection[Place]
) -> dict[Place, Channels]:
    """Where the channels are at the places of which a run on the example tells; all calls of a place must agree."""
    trail = _Trail(names)
    seen: dict[Place, list[Channels | None]] = {place: [] for place in wanted}

    def watch(module: nn.Module, args: tuple[Any, ...]) -> None:
        if (module, "before") in seen:
            seen[module, "before"].append(trail.at(first_tensor(args)))

    def note(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        trail.passed(module, args, output)
        if (module, "after") in seen:
            seen[module, "after"].append(trail.at(first_tensor(output)))

    handles = [module.register_forward_pre_hook(watch) for module in names]
    handles += [module.register_forward_hook(note) for module in names]
    try:
        run_quietly(model, example)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for place, calls in seen.items():
        told = [each for each in calls if each is not None]
        if told and len(told) == len(calls) and len({each.dim for each in told}) == 1:
            found[place] = told[0]
    return found
