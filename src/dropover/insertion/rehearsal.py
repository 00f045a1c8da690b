"""One run of the model on an example, to see that every insertion is reached and fits."""

from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion.hooks import shown
from dropover.insertion.layers import regularizers
from dropover.insertion.modes import training_flags
from dropover.insertion.plan import Placement


class _Witness:
    """A hook that notes that its module was called."""

    def __init__(self) -> None:
        self.called = False

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.called = True


def run_quietly(model: nn.Module, example: Tensor | tuple[Any, ...]) -> None:
    """Run the model once, without gradient, dropover's layers in training mode and all else in evaluation mode.

    Flags and random numbers are afterwards what they were.
    """
    args = example if isinstance(example, tuple) else (example,)
    tensors = (*args, *model.parameters())
    devices = {each.device.index or 0 for each in tensors if isinstance(each, Tensor) and each.device.type == "cuda"}
    layers = set(regularizers(model))
    with torch.random.fork_rng(sorted(devices)), torch.no_grad(), training_flags(model, layers.__contains__):
        model(*args)


def rehearse(model: nn.Module, example: Tensor | tuple[Any, ...], hosts: list[tuple[nn.Module, Placement]]) -> None:
    """Run the model once in evaluation mode, without gradient, and leave flags and random numbers as they were.

    Dropover's layers are in training mode, where they look at what they get.

    Raises:
        ValueError: a host that is never called, or an insertion that can't take what it gets there.
        TypeError: a host whose input or output is no tensor.
    """
    witnesses = [_Witness() for _ in hosts]
    handles = [host.register_forward_pre_hook(witness) for (host, _), witness in zip(hosts, witnesses, strict=True)]
    try:
        run_quietly(model, example)
    finally:
        for handle in handles:
            handle.remove()
    for (_, placement), witness in zip(hosts, witnesses, strict=True):
        if not witness.called:
            raise ValueError(
                f"a layer {placement.side} {shown(placement.names[0])} ({placement.host}) would have no effect: the "
                f"model doesn't call it on the example in evaluation mode"
            )
