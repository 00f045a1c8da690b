"""The space of a search: methods, for each the places where it can sit, and for each the settings worth trying."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeVar

from torch import nn

from dropover.insertion.serialization import encode
from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import build_network, place_arm, shown_images
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.models.parts.positions import PositionError
from dropover.lab.models.parts.users import layer_of
from dropover.lab.searching.settings import RangeSettings, Schedule, SearchSettings
from dropover.lab.study import Arm, Study
from dropover.methods import METHODS, Method, Range, Ranges
from dropover.parts.schedules import LinearSchedule
from dropover.registry import UnknownNameError, did_you_mean

SENSIBLE = "(where it sensibly goes)"
"""The place of a function's arms if none is given: instead of the model's dropouts, or before its head."""
_TRIES = 25
_DIGITS = 3

T = TypeVar("T", bound=bool | int | float | str)


class SpaceError(ValueError):
    """A space in which nothing can be tried; the message begins with the key that is to be changed."""


class Suggests(Protocol):
    """What chooses a value for each setting, as a trial of Optuna does."""

    def suggest_categorical(self, name: str, choices: Sequence[T], /) -> T:
        """One of the choices."""

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """A number from low to high."""


@dataclass(frozen=True)
class Space:
    """What is tried: of every method the places, and the ranges of its settings.

    Attributes:
        places: By method the words for places, as in an arm's `at`.
        ranges: By method what its settings may be.
        schedules: How a rate may go.
    """

    places: Mapping[str, tuple[str, ...]]
    ranges: Mapping[str, Ranges]
    schedules: tuple[Schedule, ...]

    def arm(self, chosen: Suggests) -> Arm:
        """The arm that is chosen: the method first, and then what this one has."""
        name = chosen.suggest_categorical("method", tuple(self.places))
        method = METHODS.get(name)
        at = chosen.suggest_categorical(f"{name}.at", self.places[name])
        settings: dict[str, Any] = {}
        words = []
        for setting, allowed in self.ranges[name].items():
            key = f"{name}.{setting}"
            if isinstance(allowed, Range):
                value: Any = _rounded(chosen.suggest_float(key, allowed.low, allowed.high, log=allowed.log))
            else:
                value = chosen.suggest_categorical(key, allowed)
            settings[setting] = value
            words.append(f"{setting}={value:g}" if isinstance(value, float) else f"{setting}={value}")
            if isinstance(value, float) and method.takes_schedule(setting):
                way = chosen.suggest_categorical(f"{key} goes", self.schedules)
                settings[setting] = _scheduled(value, way)
                words += [way] * (way != "constant")
        where = {} if at == SENSIBLE else {"at": [at]}
        label = " ".join([name, *([] if at == SENSIBLE else ["at", at]), *words])
        return Arm.model_validate({"method": name, "name": label, **where, **settings})


class Drawn:
    """Chooses at random, as a trial of a search that learns nothing would."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def suggest_categorical(self, name: str, choices: Sequence[T], /) -> T:
        """One of the choices, each as likely."""
        return self._random.choice(choices)

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """A number from low to high, evenly, or evenly in its logarithm."""
        if log:
            return math.exp(self._random.uniform(math.log(low), math.log(high)))
        return self._random.uniform(low, high)


class Places:
    """Whether an arm can be placed in the study's network, which is built once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._network: nn.Module | None = None
        if study.trial is None:
            data = load_data(study.data)
            self._network, self._images = build_network(study, 0, data), shown_images(data)

    def check(self, arm: Arm) -> None:
        """Raise `TypeError` or `ValueError` where it can't; of a function's net it isn't known."""
        layer_of(arm, units=8)
        if self._network is not None:
            place_arm(self._network, self._study, arm, self._images).remove()

    def words(self) -> tuple[str, ...]:
        """The places that are found: the network's named positions, else after the modules just below its root."""
        if self._network is None:
            return (SENSIBLE,)
        named = tuple(network_named(self._study.model.name).positions)
        return named or tuple(path for path, _ in self._network.named_children())


def space_of(study: Study, search: SearchSettings) -> Space:
    """The space of a study that has been tried out.

    Raises:
        SpaceError: an unknown name, a range that its method refuses, or nothing that could be placed.
    """
    if search.places is not None and not search.places:
        raise SpaceError("search.places: is empty: name a place, or leave it out for those that are found")
    fitting = Places(study)
    methods = _methods(search)
    words = tuple(search.places) if search.places is not None else fitting.words()
    ranges = {method.name: _ranges(method, search) for method in methods}
    refusals: dict[tuple[str, str], str] = {}
    for method in methods:
        for word in words:
            reason = _refusal(Space({method.name: (word,)}, ranges, tuple(search.schedules)), fitting)
            if reason:
                refusals[method.name, word] = reason
    places = {method.name: tuple(word for word in words if (method.name, word) not in refusals) for method in methods}
    for line in (
        *_lost(search, places, refusals),
        *_strange(search, Space(places, ranges, tuple(search.schedules)), fitting),
    ):
        raise SpaceError(line)
    return Space({name: there for name, there in places.items() if there}, ranges, tuple(search.schedules))


def _lost(
    search: SearchSettings, places: Mapping[str, Sequence[str]], refusals: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """What was asked for by name and can't be tried anywhere, and why."""
    kept = {word for there in places.values() for word in there}
    for word in search.places or ():
        if word not in kept:
            yield f"search.places: nothing can be placed at {word!r}: {_first(refusals, word=word)}"
    asked = [(name, f"search.ranges.{name}") for name in search.ranges]
    asked += [(METHODS.get(name).name, "search.methods") for name in search.methods or ()]
    for method, key in asked:
        if method in places and not places[method]:
            yield f"{key}: {method} can't be placed anywhere: {_first(refusals, method=method)}"
    if not kept:
        yield f"search: the space is empty: {next(iter(refusals.values()), 'it has no place')}"


def _strange(search: SearchSettings, space: Space, fitting: Places) -> Iterator[str]:
    """What the file allows of a setting and no layer can have, wherever it sits and whatever the others are."""
    for name, ranges in search.ranges.items():
        if name not in space.places:
            yield f"search.ranges.{name}: has no effect, since {name} is not among the methods that are searched"
            continue
        for setting, given in ranges.items():
            for value in (given.low, given.high) if isinstance(given, RangeSettings) else given:
                fixed = {name: {**space.ranges[name], setting: (value,)}}
                reason = ""
                for word in space.places[name]:
                    reason = _refusal(Space({name: (word,)}, fixed, space.schedules), fitting)
                    if not reason:
                        break
                if reason:
                    yield f"search.ranges.{name}.{setting}: can't be {value}: {reason}"


def _first(refusals: Mapping[tuple[str, str], str], method: str = "", word: str = "") -> str:
    return next(line for (name, at), line in refusals.items() if method in ("", name) and word in ("", at))


def _methods(search: SearchSettings) -> list[Method]:
    if search.methods is None:
        return [method for method in METHODS if method.kind != "weights"]
    if not search.methods:
        raise SpaceError("search.methods: is empty: name a method, or leave it out for all")
    methods = []
    for name in search.methods:
        try:
            method = METHODS.get(name)
        except UnknownNameError as error:
            raise SpaceError(f"search.methods: {error}") from None
        if method.kind == "weights":
            raise SpaceError(f"search.methods: {method.name} wraps a layer and can't be placed in a study")
        methods.append(method)
    names = [method.name for method in methods]
    for method in methods:
        if names.count(method.name) > 1:
            raise SpaceError(f"search.methods: names {method.name} twice")
    return methods


def _ranges(method: Method, search: SearchSettings) -> Ranges:
    """What the card says, with what the file says over it."""
    known = [each.name for each in METHODS]
    for name in search.ranges:
        if name not in known:
            raise SpaceError(f"search.ranges.{name}: no method {name!r}: {did_you_mean(name, known, 1)}")
    ranges = dict(method.card.ranges)
    for setting, given in search.ranges.get(method.name, {}).items():
        settings = method.settings()
        if setting not in settings:
            hint = did_you_mean(setting, settings, 1)
            line = f"{method.name} has no such setting: {hint}known are {', '.join(settings)}"
            raise SpaceError(f"search.ranges.{method.name}.{setting}: {line}")
        if isinstance(given, RangeSettings):
            ranges[setting] = Range(given.low, given.high, given.log)
        else:
            ranges[setting] = tuple(given)
    return ranges


def _refusal(space: Space, fitting: Places) -> str:
    """Why nothing of a space can be placed, in a line; empty if something can."""
    drawn = Drawn(Random(0))
    reason = ""
    for _ in range(_TRIES):
        try:
            fitting.check(space.arm(drawn))
        except PositionError as error:
            return " ".join(str(error).split())
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
        else:
            return ""
    return reason


def _scheduled(rate: float, way: Schedule) -> Any:
    if way == "constant":
        return rate
    return encode(LinearSchedule(0.0, rate) if way == "rising" else LinearSchedule(rate, 0.0))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
