"""Training flags, set for a while and put back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn

from dropover.insertion.hooks import inserted_in


@contextmanager
def training_flags(model: nn.Module, choose: Callable[[nn.Module], bool]) -> Iterator[None]:
    """Give each module of a model, inserted layers included, the training flag that `choose` says; then put all back.

    Flags are set one by one: `train` and `eval` set those of children too, and models override them.
    """
    hooks = list(inserted_in(model))
    modules = dict.fromkeys(module for root in (model, *(hook.layer for hook in hooks)) for module in root.modules())
    before = [(module, module.training) for module in modules]
    followed = [(hook, hook.follows_host) for hook in hooks]
    try:
        for module in modules:
            module.training = choose(module)
        for hook in hooks:
            hook.follows_host = False
        yield
    finally:
        for module, flag in before:
            module.training = flag
        for hook, follows in followed:
            hook.follows_host = follows
