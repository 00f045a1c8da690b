"""Layers as JSON and back. Classes come from a fixed table; nothing is ever evaluated."""

import inspect
from typing import Any

from torch import nn

from dropover import parts, validation
from dropover.methods import METHODS
from dropover.registry import did_you_mean
from dropover.regularizer import Regularizer

Encoded = None | bool | int | float | str | list[Any] | dict[str, Any]


def encode(part: Any) -> Encoded:
    """A layer, or a part or setting of one, as what JSON can hold.

    Raises:
        ValueError: something else than dropover's own layers and parts.
    """
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, tuple):
        return [encode(each) for each in part]
    table = _classes()
    if table.get(type(part).__name__) is not type(part):
        raise ValueError(
            f"only dropover's own layers and schedules can be saved in a plan, got a {type(part).__name__}; known are "
            f"{', '.join(table)}"
        )
    # A learned strength is a weight, not a setting: it goes with `plan.layers.state_dict()`.
    names = inspect.signature(type(part)).parameters
    settings = part.settings() if isinstance(part, Regularizer) else {name: getattr(part, name) for name in names}
    encoded: dict[str, Any] = {
        "class": type(part).__name__,
        "settings": {name: encode(value) for name, value in settings.items()},
    }
    if isinstance(part, Regularizer) and part.scheduled:
        encoded["progress"] = part.progress
    return encoded


def decode(value: Any) -> Any:
    """What `encode` was given, made anew.

    Raises:
        ValueError: an unknown class or setting, or a setting that the class refuses.
    """
    if isinstance(value, list):
        return tuple(decode(each) for each in value)
    if not isinstance(value, dict):
        return value
    if {*value} - {"progress"} != {"class", "settings"} or not isinstance(value["settings"], dict):
        raise ValueError(f"a part must have exactly the keys 'class' and 'settings', got {sorted(value)}")
    name, table = value["class"], _classes()
    if name in ("Linear", "Cosine", "Step"):
        name += "Schedule"  # as they are called since
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"unknown class {name!r}: {did_you_mean(str(name), table, 1)}known are {', '.join(table)}")
    known = inspect.signature(table[name]).parameters
    given = dict(value["settings"])
    if "channel_dim" not in known and given.get("channel_dim", 0) is None:
        del given["channel_dim"]  # every layer had one once
    for setting in given:
        if setting not in known:
            hint = did_you_mean(setting, known, 1)
            raise ValueError(f"{name} has no setting {setting!r}: {hint}known are {', '.join(known) or 'none'}")
    settings = {setting: decode(each) for setting, each in given.items()}
    try:
        made = table[name](**settings)
        if "progress" in value:
            _follow(made, value["progress"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    return made


def _follow(part: Any, progress: Any) -> None:
    if not isinstance(part, Regularizer) or not part.scheduled:
        raise ValueError("'progress' would have no effect: it goes with a layer that has a scheduled rate")
    part.follow(validation.number("progress", progress, 0, 1))


def decode_layer(value: Any) -> nn.Module:
    """A layer made anew; `ValueError` if it is something else, or for what `decode` refuses."""
    layer = decode(value)
    if not isinstance(layer, Regularizer):
        raise ValueError(f"a layer must be one of dropover's, got {value!r}")  # noqa: TRY004  # of a file
    return layer


def _classes() -> dict[str, type]:
    named = [method.layer for method in METHODS if issubclass(method.layer, Regularizer)]
    layers: list[type[nn.Module]] = [Regularizer, *named]
    return {**{each.__name__: each for each in layers}, **parts.public()}
