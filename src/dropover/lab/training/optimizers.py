"""The optimizers that a study may name: torch's own, without what only `torch.compile` needs of them."""

import inspect
from typing import TypeVar

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from dropover.lab.study import TrainingSettings

_Kind = TypeVar("_Kind", bound=Optimizer)
# torch has its compiler leave these alone, for which they import it: over a second of every process.
_KEPT_FROM_THE_COMPILER = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def optimizer_of(weights: list[nn.Parameter], settings: TrainingSettings) -> Optimizer:
    """The optimizer of a study's settings. Nothing that is compiled may step it.

    The fused kernels update all weights in one call: with nets this small the calls are what costs.
    """
    decay = settings.weight_decay
    if settings.optimizer == "adam":
        return _Adam(weights, settings.lr, weight_decay=decay, fused=True)
    return _SGD(weights, settings.lr, settings.momentum, weight_decay=decay, fused=True)


def _plain(kind: type[_Kind]) -> type[_Kind]:
    """An optimizer with its methods as they are within what keeps them from the compiler."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _KEPT_FROM_THE_COMPILER}
    plain: type[_Kind] = type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})
    return plain


_SGD, _Adam = _plain(SGD), _plain(Adam)
