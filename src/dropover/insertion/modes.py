"""A model in other modes for a while, and put back: its training flags, or a run without a trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion.hooks import inserted_in
from dropover.insertion.layers import regularizers

Example = Tensor | tuple[Any, ...]
"""What a model is run on once: an input, or a tuple of positional arguments."""


@contextmanager
def training_flags(model: nn.Module, choose: Callable[[nn.Module], bool]) -> Iterator[None]:
    """Give each module of a model, inserted layers included, the training flag that `choose` says; then put all back.

    Flags are set one by one: `train` and `eval` set those of children too, and models override them.
    """
    hooks = list(inserted_in(model))
    modules = dict.fromkeys(module for root in (model, *(hook.layer for hook in hooks)) for module in root.modules())
    flags = [(module, module.training) for module in modules]
    follows = [(hook, hook.follows_host) for hook in hooks]
    try:
        for module in modules:
            module.training = choose(module)
        for hook in hooks:
            hook.follows_host = False
        yield
    finally:
        for module, flag in flags:
            module.training = flag
        for hook, flag in follows:
            hook.follows_host = flag


def run_quietly(model: nn.Module, example: Example) -> None:
    """Run the model once, without gradient, and leave flags and random numbers as they were.

    Dropover's layers are in training mode, where they look at what they get, and all else is in evaluation mode.
    """
    args = example if isinstance(example, tuple) else (example,)
    tensors = (*args, *model.parameters())
    devices = {each.device.index or 0 for each in tensors if isinstance(each, Tensor) and each.device.type == "cuda"}
    layers = set(regularizers(model))
    with torch.random.fork_rng(sorted(devices)), torch.no_grad(), training_flags(model, layers.__contains__):
        model(*args)
