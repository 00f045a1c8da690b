"""What the layers placed in a network add to it: parameters to train, tensors to keep, a rate at inference."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.insertion.hooks import inserted_in
from dropover.methods import METHODS

RATE = "eval_p"


def parameters_of(model: nn.Module) -> list[nn.Parameter]:
    """All parameters, each once: the model's own, and those of inserted layers, which are in no `parameters()`."""
    inserted = (parameter for layer in _inserted(model).values() for parameter in layer.parameters())
    return list(dict.fromkeys([*model.parameters(), *inserted]))


def net_state(model: nn.Module) -> dict[str, Tensor]:
    """The `state_dict` of the model and, under keys that begin with "placed ", of its inserted layers; on the CPU."""
    parts = {"": model, **_inserted(model)}
    return {prefix + key: value.to("cpu") for prefix, part in parts.items() for key, value in part.state_dict().items()}


def load_net_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a model, built as the one that `net_state` was taken of; `ValueError` if keys or shapes don't fit it."""
    parts = {**_inserted(model), "": model}
    states: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in parts}
    for key, value in state.items():
        prefix = next(prefix for prefix in parts if key.startswith(prefix))
        states[prefix][key.removeprefix(prefix)] = value
    try:
        for prefix, part in parts.items():
            part.load_state_dict(states[prefix])
    except RuntimeError as error:
        raise ValueError(f"the state doesn't fit the model: {' '.join(str(error).split())}") from error


def with_a_rate() -> list[str]:
    """The methods whose layers can be placed and have a rate at inference that can be set."""
    return [method.name for method in METHODS if RATE in method.settings() and method.kind != "weights"]


@contextmanager
def inference_rate(model: nn.Module, rate: float) -> Iterator[None]:
    """Give every dropover layer of the model this rate, in [0, 1], at inference; each gets its own back at the end.

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
        for layer, rate_before in zip(layers, before, strict=True):
            setattr(layer, RATE, rate_before)


def _inserted(model: nn.Module) -> dict[str, nn.Module]:
    """The inserted layers by a prefix for their keys, with a blank in it, which no module's path has."""
    hooks = enumerate(inserted_in(model))
    return {f"placed {number} {hook.side} {hook.position}: ": hook.layer for number, hook in hooks}
