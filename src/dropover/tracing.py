"""Layers under `torch.fx`: each is one call in a traced graph, never traced into, so that every run draws anew."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.fx import Proxy


def record_layer(layer: nn.Module, x: Proxy) -> Any:
    """A call of a layer in the graph that `x` belongs to; of what is no submodule of the traced model, in its mode."""
    try:
        path = x.tracer.path_of_module(layer)  # type: ignore[attr-defined]  # a model is traced by a tracer that can
    except NameError:
        path = ""
    if path:
        return x.tracer.create_proxy("call_module", path, (x,), {})
    training = layer.training

    def regularize(x: Tensor) -> Any:
        before = layer.training
        try:
            return layer.train(training)(x)
        finally:
            layer.train(before)

    return record_function(regularize, x)


def record_function(function: Callable[[Tensor], Any], x: Proxy) -> Any:
    """A call of a function in the graph that `x` belongs to."""
    return x.tracer.create_proxy("call_function", function, (x,), {})
