"""A layer that acts at one side of a host module, without becoming part of the model's state.

It is called as a forward hook. The hook is an object rather than a function, so that a model carries it through
`copy.deepcopy`, `pickle` and `torch.save`; the layer is no submodule of the host, so that no state_dict key appears.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from dropover import tracing
from dropover.insertion.channels import Channels, question
from dropover.insertion.names import quoted


class Inserted(ABC):
    """A layer at one side of a host; the two sides are the two subclasses.

    Attributes:
        layer: what is applied.
        position: the host's name, for errors.
        channels: which dimension was taken for the channels; None if it makes no difference to the layer.
        batch_first: beside a module for sequences, whether samples come before time steps; None elsewhere, and for a
            layer to which it makes no difference.
        follows_host: whether each call first gives the layer the host's training flag.
    """

    side: str
    # Kept with the hook, so that unpickling it tells torch which hook numbers are taken.
    _handle: RemovableHandle | None = None

    def __init__(
        self, layer: nn.Module, position: str, channels: Channels | None = None, batch_first: bool | None = None
    ) -> None:
        self.layer = layer
        self.position = position
        self.channels = channels
        self.batch_first = batch_first
        self.follows_host = True

    @abstractmethod
    def attach(self, host: nn.Module) -> None:
        """Begin to act at `host`."""

    def obstacle(self, _layers: Collection[nn.Module]) -> str | None:
        """None: a hook can always go; see `Change`."""
        return None

    def undo(self) -> None:
        """Stop acting."""
        if self._handle is not None:
            self._handle.remove()

    def apply(self, host: nn.Module, x: Tensor | Proxy) -> Any:
        """The layer on `x`, in the host's mode and on the device of `x`."""
        if isinstance(x, Proxy):
            # A traced graph knows no hooks: it calls the layer, in the mode that the host has now.
            as_traced = copy.copy(host)

            def regularize(x: Tensor) -> Any:
                return self.apply(as_traced, x)

            return tracing.record_function(regularize, x)
        layer = self.layer
        if self.channels is not None and not self.channels.fit(tuple(x.shape)):
            raise ValueError(question(layer, f"{self.side} {self.where} ({type(host).__name__})", tuple(x.shape)))
        if self.follows_host and layer.training != host.training:
            layer.train(host.training)
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.device != x.device:
                layer.to(x.device)  # in place: an optimizer keeps its parameters
                break
        if torch.compiler.is_compiling():
            return self._by_samples(x)
        try:
            return self._by_samples(x)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{type(layer).__name__} {self.side} {self.where}: {error}") from error

    def _by_samples(self, x: Tensor) -> Tensor:
        """The layer on `x`, its samples being dimension 0 for as long."""
        if self.batch_first is not None and x.ndim == 2:  # one sequence, (T, C)
            return self.layer(x.unsqueeze(0)).squeeze(0)  # type: ignore[no-any-return]
        if self.batch_first is False and x.ndim > 2:
            return self.layer(x.transpose(0, 1)).transpose(0, 1)  # type: ignore[no-any-return]
        return self.layer(x)  # type: ignore[no-any-return]

    @property
    def where(self) -> str:
        """The host's name as an error writes it."""
        return quoted(self.position)


class InsertedBefore(Inserted):
    """A layer on the first positional argument of its host, or on its only tensor if all are given by keyword."""

    side = "before"

    def attach(self, host: nn.Module) -> None:
        """Begin to act at `host`."""
        self._handle = host.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(
        self, host: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The host's arguments, the one that counts regularized."""
        if args:
            if not isinstance(args[0], (Tensor, Proxy)):
                raise TypeError(
                    f"before {self.where}: the first argument of {type(host).__name__} must be a tensor, "
                    f"got {type(args[0]).__name__}"
                )
            return (self.apply(host, args[0]), *args[1:]), kwargs
        tensors = [name for name, value in kwargs.items() if isinstance(value, (Tensor, Proxy))]
        if len(tensors) != 1:
            given = ", ".join(tensors) or "none"
            raise TypeError(
                f"before {self.where}: {type(host).__name__} was called with keywords only, where exactly one must "
                f"be a tensor to know which one to regularize; got {given}"
            )
        return args, {**kwargs, tensors[0]: self.apply(host, kwargs[tensors[0]])}


class InsertedAfter(Inserted):
    """A layer on the output of its host, or on the first element of it if the output is a tuple or list."""

    side = "after"

    def attach(self, host: nn.Module) -> None:
        """Begin to act at `host`."""
        self._handle = host.register_forward_hook(self)

    def __call__(self, host: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """The host's output, the part that counts regularized."""
        if isinstance(output, (Tensor, Proxy)):
            return self.apply(host, output)
        packed = isinstance(output, PackedSequence)
        if isinstance(output, tuple | list) and not packed and output and isinstance(output[0], (Tensor, Proxy)):
            parts = (self.apply(host, output[0]), *output[1:])
            if isinstance(output, tuple) and hasattr(output, "_make"):
                return output._make(parts)
            return list(parts) if isinstance(output, list) else parts
        kind = type(output).__name__
        if isinstance(output, tuple | list) and output and not packed:
            kind += f" that begins with {type(output[0]).__name__}"
        raise TypeError(
            f"after {self.where}: the output of {type(host).__name__} must be a tensor, or a tuple or list that "
            f"begins with one, got {kind}"
        )


SIDES: dict[str, type[Inserted]] = {"before": InsertedBefore, "after": InsertedAfter}


def inserted_at(module: nn.Module) -> list[Inserted]:
    """The insertions at both sides of one module."""
    hooks: tuple[object, ...] = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return [hook for hook in hooks if isinstance(hook, Inserted)]


def inserted_in(model: nn.Module) -> Iterator[Inserted]:
    """Every insertion in a model, each once."""
    for module in model.modules():
        yield from inserted_at(module)
