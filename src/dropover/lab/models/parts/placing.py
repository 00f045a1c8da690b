"""A method's layers at positions of a network."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion import Plan
from dropover.insertion.serialization import decode
from dropover.lab.models.parts.positions import Named, PlaceInfo, PositionError, insert_at, look, places
from dropover.methods import Method
from dropover.parts.rates import DensityRates
from dropover.regularizer import Regularizer


def place(
    model: nn.Module, named: Named, at: Sequence[str], method: Method, settings: Mapping[str, Any], images: Tensor
) -> Plan:
    """Put a layer of `method` at each place that the words of `at` mean. The model's own parameters keep their names.

    Args:
        model: The network, changed in place.
        named: Its named positions, see `Network.positions`.
        at: Names of positions, or modules' paths; see `places`.
        method: What to put there. Which dimension holds its channels follows from the place, as in `dropover.insert`:
            the features for tokens (N, T, F).
        settings: The method's settings, a schedule as `encode` writes it; `channel_dim` where that can't be known from
            the place.
        images: Two images, pixels in [0, 1], that the network is shown.

    Raises:
        PositionError: the network has no such place, or it is none for this method. The model is unchanged.
        TypeError: a setting that the method doesn't have, or one of the wrong kind.
        ValueError: a setting out of range, or one that doesn't fit what passes there.
    """
    layers = {}
    settings = {name: decode(value) if isinstance(value, dict | list) else value for name, value in settings.items()}
    for where, position in look(model, places(model, named, at), images).items():
        channel_dim = settings.get("channel_dim", position.channel_dim)
        dim = {"channel_dim": channel_dim} if "channel_dim" in method.settings() else {}
        layer = method.make(units=_units(position, channel_dim), **{**settings, **dim})
        _check(method, layer, position, asked=channel_dim is None)
        layers[where] = layer
    return insert_at(model, layers, images)


def _units(position: PlaceInfo, channel_dim: object) -> int:
    shape = (0, *position.shape)
    inside = isinstance(channel_dim, int) and -len(shape) < channel_dim < len(shape)
    return shape[channel_dim] if inside and isinstance(channel_dim, int) else 1  # the layer says what is wrong with it


def _check(method: Method, layer: nn.Module, position: PlaceInfo, asked: bool) -> None:
    """Raise `PositionError` for a method that is meant for something else than what passes at the position.

    Or for one that has to know the dimension of the channels where it is unknown.
    """
    if asked and isinstance(layer, Regularizer) and layer.uses_channels:
        raise PositionError(
            f"{method.name} has to know which dimension holds the channels, and {position.place} there are "
            f"{position.content}: say it, as channel_dim = 1 or channel_dim = -1 (the last)"
        )
    meant = {method.kind, "tokens", "unknown"}
    rule = layer.rule if isinstance(layer, Regularizer) else None
    if isinstance(rule, DensityRates) and rule.components == 1:
        meant.add("features")
    if rule is not None and rule.modulates:
        meant.add("maps")  # one strength a map
    if position.kind in meant or _works_anywhere(layer):
        return
    raise PositionError(f"{method.name} is meant for {method.kind}, and {position.place} there are {position.content}")


def _works_anywhere(layer: nn.Module) -> bool:
    """Whether the layer hits single elements, or whole samples, and needs no maps for it."""
    if not isinstance(layer, Regularizer) or layer.units.uses_channels:
        return False
    with torch.random.fork_rng(devices=[]):
        try:
            for moved in _over_training(layer):
                moved(torch.ones(2, 2))
        except ValueError:
            return False
    return True


def _over_training(layer: Regularizer) -> Iterator[Regularizer]:
    """The layer; if its rates move, at the start, in the middle and at the end: at rate 0 it does nothing anywhere."""
    if not layer.scheduled:
        yield layer
        return
    moved = copy.deepcopy(layer)
    for progress in (0.0, 0.5, 1.0):
        moved.follow(progress)
        yield moved
