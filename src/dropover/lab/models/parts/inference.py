"""The rate of a model's layers at inference, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from dropover.insertion import regularizers
from dropover.methods import METHODS

RATE = "eval_p"


def with_a_rate() -> list[str]:
    """The methods whose layers can be placed and have a rate at inference that can be set."""
    return [method.name for method in METHODS if RATE in method.settings() and method.kind != "weights"]


@contextmanager
def inference_rate(model: nn.Module, rate: float) -> Iterator[None]:
    """Give every dropover layer of the model this rate at inference; each gets its own back at the end.

    Args:
        model: A model with at least one such layer.
        rate: In [0, 1].

    Raises:
        ValueError: no such layer, one of a method without a rate at inference, or a rate outside [0, 1].
    """
    layers = list(regularizers(model))
    if not layers:
        raise ValueError("the model has no layer of dropover's whose rate at inference could be set")
    for layer in layers:
        if not hasattr(type(layer), RATE):
            name = next((method.name for method in METHODS if method.layer is type(layer)), type(layer).__name__)
            raise ValueError(f"{name} has no rate at inference: methods that have one are {', '.join(with_a_rate())}")
    before = [getattr(layer, RATE) for layer in layers]
    try:
        for layer in layers:
            setattr(layer, RATE, rate)
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            setattr(layer, RATE, own)
