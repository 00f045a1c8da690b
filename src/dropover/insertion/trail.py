"""Where the channels are at places that no class tells of, seen in one run of the model on an example.

An activation's input is the very tensor that a convolution gave, a block's output the very tensor that the next one's
convolution takes: what is known of the convolution is known of it. A tensor that a function made on the way, such as a
permutation or a sum, is another one.
"""

from collections import defaultdict
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from dropover.insertion.channels import Channels
from dropover.insertion.hosts import channels_at, channels_of, keeps_channels
from dropover.insertion.modes import Example, run_quietly
from dropover.insertion.names import ModuleNames

Site = tuple[nn.Module, str]
"""A module and one of its sides."""
_Key = tuple[int, tuple[int, ...]]


def find_channels(
    model: nn.Module, names: ModuleNames, sites: Collection[Site], example: Example | None
) -> dict[Site, Channels | None]:
    """What is known of the channels at each site ("before", "after" or "instead" of a module); None where nothing is.

    Where the modules alone leave a doubt, the model is run on the example once, if there is one, and put back.
    """
    by_site = {site: channels_at(names, *site) for site in sites}
    doubts = [site for site, channels in by_site.items() if channels is None or channels.sizes]
    if doubts and example is not None:
        trail = _Trail(names)
        with ExitStack() as hooks:
            for module in names.of:
                hooks.enter_context(module.register_forward_pre_hook(trail.before))
                hooks.enter_context(module.register_forward_hook(trail.after))
            run_quietly(model, example)
        for site in doubts:
            channels = trail.channels_at(site)
            if channels is not None and (by_site[site] is None or not channels.sizes):
                by_site[site] = channels
    return by_site


class _Trail:
    """What is known of the tensors that modules give and take; a tensor is the same as long as it keeps its shape."""

    def __init__(self, names: ModuleNames) -> None:
        self._names = names
        self._passages: dict[Site, list[_Key]] = defaultdict(list)
        self._gave: dict[_Key, Channels] = {}
        self._took: dict[_Key, Channels] = {}
        self._held: list[Tensor] = []  # so that no other tensor gets the place in memory of one

    def before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward pre-hook: note what a module tells of what it takes."""
        key, channels = self._key(args), self._told_by(module)
        if key is not None:
            if channels is not None and not channels.sizes:
                self._took.setdefault(key, channels)
            self._passages[module, "before"].append(key)

    def after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A forward hook: note what a module, or else what it took, tells of what it gives."""
        key, taken, channels = self._key(output), self._key(args), self._told_by(module)
        if key is None:
            return
        if channels is not None and not channels.sizes:
            self._gave[key] = channels
        elif key not in self._gave:  # else one of its parts gave it, which tells more than that all parts agree
            if channels is not None and channels.fit(key[1]):
                self._gave[key] = channels
            elif keeps_channels(module) and taken is not None and taken in self._gave:
                self._gave[key] = self._gave[taken]
        self._passages[module, "after"].append(key)

    def channels_at(self, site: Site) -> Channels | None:
        """What the run told of a site; all its calls must agree."""
        calls = [self._gave.get(key) or self._took.get(key) for key in self._passages[site]]
        agree = len({each and each.dim for each in calls}) == 1
        return calls[0] if agree else None

    def _key(self, value: Any) -> _Key | None:
        """Of a tensor, or of the first element of a tuple or list if that is one: what a layer acts on."""
        if isinstance(value, tuple | list) and value and not isinstance(value, PackedSequence):
            value = value[0]
        if not isinstance(value, Tensor):
            return None
        self._held.append(value)
        return id(value), tuple(value.shape)

    def _told_by(self, module: nn.Module) -> Channels | None:
        channels = channels_of(module)
        return None if channels is None else channels.of(self._names.of[module][0])
