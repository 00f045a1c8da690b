"""A network with what was placed in it, as one: parameters to train, tensors to keep."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from dropover.insertion.hooks import inserted_in

# No module's path has a blank in it.
_PLACED = "placed "


def parameters_of(model: nn.Module) -> list[nn.Parameter]:
    """All parameters, each once: the model's own, and those of inserted layers, which are in no `parameters()`."""
    placed = (parameter for layer in _placed(model).values() for parameter in layer.parameters())
    return list(dict.fromkeys([*model.parameters(), *placed]))


def net_state(model: nn.Module) -> dict[str, Tensor]:
    """The `state_dict` of the model and, under keys that begin with "placed ", those of its inserted layers."""
    state: dict[str, Tensor] = dict(model.state_dict())
    for prefix, layer in _placed(model).items():
        state.update({prefix + key: value for key, value in layer.state_dict().items()})
    return state


def load_net_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a model, built as the one that `net_state` was taken of.

    Raises:
        ValueError: keys or shapes don't fit the model.
    """
    parts: dict[str, tuple[nn.Module, dict[str, Tensor]]] = {
        prefix: (layer, {}) for prefix, layer in _placed(model).items()
    }
    parts[""] = (model, {})
    for key, value in state.items():
        prefix = next(prefix for prefix in parts if key.startswith(prefix))
        parts[prefix][1][key.removeprefix(prefix)] = value
    try:
        for module, own in parts.values():
            module.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(f"the state doesn't fit the model: {' '.join(str(error).split())}") from error


def _placed(model: nn.Module) -> dict[str, nn.Module]:
    """The inserted layers by a prefix for their keys."""
    return dict(_prefixed(model))


def _prefixed(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for number, hook in enumerate(inserted_in(model)):
        yield f"{_PLACED}{number} {hook.side} {hook.position}: ", hook.layer
