"""An arm's layers in a model that the user's own function made: at its places, or where they sensibly go."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_in
from typing import Any

from torch import Tensor, nn

from dropover.insertion import Placement, Plan, insert, replace
from dropover.insertion.layers import TORCH_DROPOUTS
from dropover.insertion.modes import Example, run_quietly
from dropover.insertion.names import ModuleNames
from dropover.insertion.serialization import decode, encode
from dropover.lab.models.parts import positions
from dropover.lab.models.parts.building import NONE
from dropover.lab.models.parts.positions import Place, PositionError, choices, look
from dropover.lab.study import Arm
from dropover.methods import METHODS
from dropover.regularizer import Regularizer

COMPOSED = "regularizer"
"""The method of an arm whose layer is made of parts that no named method has."""


@dataclass(frozen=True)
class Spot:
    """A place in a model: a module's path, and "before" or "after" it, or "instead" of a dropout.

    `content` is what passes there, in words, where the model was run on an example.
    """

    path: str
    side: str
    host: str
    content: str = ""

    def __str__(self) -> str:
        return f"{self.side} {self.path!r} ({self.host}){f': {self.content}' if self.content else ''}"


class Places(tuple[Spot, ...]):
    """Where layers would go; printed, a line each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    __repr__ = __str__


def places(model: nn.Module, example: Tensor | None = None, at: str | Sequence[str] | None = None) -> Places:
    """Where `Trial.regularize` puts an arm's layers in a model, which stays as it is.

    Args:
        model: The model, before anything was put into it.
        example: An input, with two samples or more: it shows what passes at each place.
        at: Words for places, as in `lab.compare`; without them the sensible ones are found.

    Raises:
        PositionError: the model has no such place, or none that is sensible.
    """
    spots = spots_of(model, [at] if isinstance(at, str) else None if at is None else list(at))
    return Places(spots if example is None else (_with_content(spot, model, example) for spot in spots))


def spots_of(model: nn.Module, at: list[str] | None = None) -> list[Spot]:
    """Where an arm's layers go: at the words of `at`, else instead of the model's dropouts, else before its head.

    The head is the classifier as timm's models name it, else the last linear layer. A word is a module's path or a
    pattern; "before " or "after " may stand in front.

    Raises:
        PositionError: nothing is called so; or there is neither a dropout nor a linear layer.
    """
    names = ModuleNames(model)
    if at is not None:
        return [Spot(place.path, place.side, _host(names, place.path)) for place in positions.places(model, {}, at)]
    dropouts = [path for path, module in model.named_modules() if path and isinstance(module, TORCH_DROPOUTS)]
    if dropouts:
        return [Spot(path, "instead", _host(names, path)) for path in dropouts]
    head = _head(model, names)
    if head is None:
        raise PositionError(
            f"the model has neither a dropout nor a linear layer, so that the place must be said, as `at`: it is "
            f"{choices({}, model)}"
        )
    return [Spot(head, "before", _host(names, head))]


def place_in(model: nn.Module, arm: Arm, example: Example | None = None) -> Plan:
    """Put an arm's layers into a model, at `spots_of` it; the arm without a method takes away dropouts there.

    Raises:
        PositionError: see `spots_of`.
        TypeError, ValueError: a layer that can't be made, can't sit there, or needs an example to know its channels.
            The model is unchanged.
    """
    at = arm.at
    if arm.method == NONE and at is not None:
        return Plan(())
    spots = spots_of(model, at)
    instead = [spot.path for spot in spots if spot.side == "instead"]
    if arm.method == NONE:
        return _replaced(model, {path: nn.Identity() for path in instead}, example)
    layers = {spot: layer_of(arm, _units(model, spot, arm, example)) for spot in spots}
    if instead:
        return _replaced(model, {spot.path: layer for spot, layer in layers.items()}, example)
    placed = [Placement((spot.path,), spot.side, spot.host, layer) for spot, layer in layers.items()]
    return insert(model, Plan(tuple(placed)), example=example)


def layer_of(arm: Arm, units: int | None = None) -> nn.Module:
    """The layer that an arm describes, for a place with so many units.

    Raises:
        TypeError, ValueError: an unknown method or setting, or one out of range; a method that has to know `units`.
    """
    settings = {
        name: decode(value) if isinstance(value, dict | list) else value for name, value in arm.settings.items()
    }
    if arm.method == COMPOSED:
        return Regularizer(**{"rates": None, **settings})
    method = METHODS.get(arm.method)
    if units is None and method.needs_units:
        raise ValueError(f"{method.name} has to know how many units pass: give `regularize` an example tensor")
    return method.make(units=units or 1, **settings)


def arm_of(name: str, layer: object) -> dict[str, Any]:
    """The table of a study file that describes an arm whose layer is given; None is the arm without a method.

    A table is taken as it is.

    Raises:
        TypeError: something else.
        ValueError: a layer of the user's own class.
    """
    if layer is None:
        return {"name": name, "method": NONE}
    if isinstance(layer, dict):
        return {"name": name, **layer}
    if not isinstance(layer, Regularizer):
        hint = f": {layer.__name__}() makes one" if isinstance(layer, type) and issubclass(layer, Regularizer) else ""
        raise TypeError(
            f"arms[{name!r}] must be one of dropover's layers, None, or a table such as "
            f"{{'method': 'flipover', 'p': 0.2}}, got {layer!r}{hint}"
        )
    encoded = encode(layer)
    assert isinstance(encoded, dict)
    settings = {key: value for key, value in encoded["settings"].items() if value is not None}
    for method in METHODS:
        presets = {key: encode(value) for key, value in method.presets.items()}
        if method.layer is type(layer) and presets.items() <= encoded["settings"].items():
            own = {key: value for key, value in settings.items() if key in method.settings()}
            return {"name": name, "method": method.name, **own}
    return {"name": name, "method": COMPOSED, **settings}


def _replaced(model: nn.Module, layers: dict[str, nn.Module], example: Example | None) -> Plan:
    """One plan of all exchanges; those made are taken back where one fails, or the model with them on the example."""
    plans: list[Plan] = []
    try:
        for path, layer in layers.items():
            plans.append(replace(model, path, layer))
        if example is not None:
            run_quietly(model, example)
    except BaseException:
        for plan in reversed(plans):
            plan.remove()
        raise
    return Plan(tuple(placement for plan in plans for placement in plan.placements))


def _units(model: nn.Module, spot: Spot, arm: Arm, example: Example | None) -> int | None:
    """How many units pass at a place, if the arm's method has to know and the example tells."""
    if arm.method == COMPOSED or not METHODS.get(arm.method).needs_units or not isinstance(example, Tensor):
        return None
    place = Place(spot.path, "after" if spot.side == "instead" else spot.side)
    return look(model, [place], example)[place].units


def _host(names: ModuleNames, path: str) -> str:
    return type(names.module[path]).__name__


def _head(model: nn.Module, names: ModuleNames) -> str | None:
    """The path of the classifier."""
    of_timm = getattr(model, "get_classifier", None)
    module = of_timm() if callable(of_timm) else None
    if isinstance(module, nn.Module) and not isinstance(module, nn.Identity) and module in names.of:
        return names.of[module][0]
    linear = [path for path, each in model.named_modules() if path and isinstance(each, nn.Linear)]
    return linear[-1] if linear else None


def _with_content(spot: Spot, model: nn.Module, example: Tensor) -> Spot:
    place = Place(spot.path, "after" if spot.side == "instead" else spot.side)
    return replace_in(spot, content=look(model, [place], example)[place].content)
