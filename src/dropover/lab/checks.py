"""What a study asks for that can't be had: found by trying each part on something tiny, before anything is trained."""

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.data import DATA, Data
from dropover.lab.data.loading import load_data
from dropover.lab.evaluation import pixels
from dropover.lab.models import NETWORKS
from dropover.lab.models.slots import Position, positions
from dropover.lab.noise import NOISES
from dropover.lab.streams import REGULARIZER, WEIGHTS, generator, seeded
from dropover.lab.study import Arm, AttackSettings, Study
from dropover.lab.trial import NONE, build_model, positions_of
from dropover.methods import METHODS


def problems_of(study: Study) -> list[str]:
    """Everything in a study that can't be run, one line each, beginning with its key; empty if all is well.

    The images are read (a missing or damaged file is a problem like any other), every arm's network is built and shown
    two images, and noises and attacks are tried on a single pixel.
    """
    data, problems = _data(study)
    # Without images the rest is checked on two grey ones of MNIST's shape, so that all problems come in one go.
    shown = data if data is not None else _stand_in()
    places, model_problems = _model(study, shown)
    problems += model_problems
    for index, arm in enumerate(study.arms):
        problems += _arm(f"arms[{index}]", study, arm, shown, places)
    problems += _noises(study)
    problems += _attacks(study, len(shown.classes))
    if data is not None and (study.evaluation.attack_images or 0) > len(data.test_labels):
        problems.append(
            f"evaluation.attack_images: must be at most {len(data.test_labels)}, the test images that the study has, "
            f"got {study.evaluation.attack_images}"
        )
    return problems


def _data(study: Study) -> tuple[Data | None, list[str]]:
    try:
        DATA.get(study.data.name)
    except ValueError as error:
        return None, [f"data.name: {error}"]
    try:
        return load_data(study.data), []
    except ValueError as error:
        return None, [_located("data", error, ("train_limit", "test_limit", "folder"))]


def _stand_in() -> Data:
    images, labels = torch.full((2, 1, 28, 28), 128, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    return Data(images, labels, images, labels, tuple("0123456789"))


def _model(study: Study, data: Data) -> tuple[dict[str, Position] | None, list[str]]:
    """The network's positions, or None where it can't be built."""
    settings = study.model
    try:
        build = NETWORKS.get(settings.name).build
    except ValueError as error:
        return None, [f"model.name: {error}"]
    unknown = _unknown_settings("model", f"network {settings.name}", build, settings.settings)
    if unknown:
        return None, unknown
    try:
        return positions(build_model(study, Arm(method=NONE), 0, data)), []
    except (TypeError, ValueError) as error:
        return None, [_located("model", error, settings.settings)]


def _arm(key: str, study: Study, arm: Arm, data: Data, places: dict[str, Position] | None) -> list[str]:
    if arm.method == NONE:
        useless = [*(["at"] if arm.at is not None else []), *arm.settings]
        return [f"{key}.{name}: has no effect, since method {NONE!r} places nothing" for name in useless]
    try:
        method = METHODS.get(arm.method)
    except ValueError as error:
        return [f"{key}.method: {error}, {NONE}"]
    if method.kind == "weights":
        return [f"{key}.method: {method.name} wraps a layer and can't be placed in a study"]
    problems = list(_positions(key, arm, study.model.name, places)) if places is not None else []
    try:
        if problems or places is None:
            method.make(units=8, **arm.settings)
        else:
            model = build_model(study, arm, 0, data)
            with seeded(0, REGULARIZER), torch.no_grad():
                model(pixels(data.train_images[:2]))
    except (TypeError, ValueError) as error:
        problems.append(_located(key, error, arm.settings))
    return problems


def _positions(key: str, arm: Arm, network: str, places: Mapping[str, Position]) -> Iterator[str]:
    wanted = positions_of(arm)
    if not wanted:
        yield f"{key}.at: is empty: leave it out for the default position, or name one of {', '.join(places)}"
    for index, name in enumerate(wanted):
        if name not in places:
            yield f"{key}.at: network {network} has no position {name!r}: {_closest(name, places)}"
        elif name in wanted[:index]:
            yield f"{key}.at: has {name!r} twice"


def _noises(study: Study) -> Iterator[str]:
    image = torch.zeros(1, 1, 1, 1)
    for name, levels in study.evaluation.noise.items():
        try:
            noise = NOISES.get(name)
            for level in levels:
                noise.apply(image, level, generator(0, "check"))
        except (TypeError, ValueError) as error:
            yield f"evaluation.noise.{name}: {error}"


def _attacks(study: Study, classes: int) -> Iterator[str]:
    seen: list[str] = []
    for index, settings in enumerate(study.evaluation.attacks):
        key = f"evaluation.attacks[{index}]"
        if settings.name in seen:
            yield f"{key}.name: {settings.name!r} is listed twice: put all its eps into one entry"
        seen.append(settings.name)
        yield from _attack(key, settings, classes)


def _attack(key: str, settings: AttackSettings, classes: int) -> list[str]:
    try:
        run = ATTACKS.get(settings.name).run
    except ValueError as error:
        return [f"{key}.name: {error}"]
    problems = _unknown_settings(key, f"attack {settings.name}", run, settings.settings)
    if max(settings.eps) > 1:
        problems.append(f"{key}.eps: is in pixels, at most 1, got {max(settings.eps)}")
    if problems:
        return problems
    with seeded(0, WEIGHTS):
        model = nn.Sequential(nn.Flatten(), nn.Linear(1, classes))
    image, label = torch.zeros(1, 1, 1, 1), torch.zeros(1, dtype=torch.int64)
    try:
        run(model, image, label, 0.0, generator(0, "check"), **settings.settings)
    except (TypeError, ValueError) as error:
        return [_located(key, error, settings.settings)]
    return []


def _unknown_settings(key: str, owner: str, function: Callable[..., object], given: Mapping[str, Any]) -> list[str]:
    """A problem for every given setting that is no keyword-only argument of `function`."""
    parameters = inspect.signature(function).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    return [
        f"{key}.{name}: {owner} has no such setting: {_closest(name, known)}" for name in given if name not in known
    ]


def _closest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}known are {', '.join(known)}" if known else "it has none"


def _located(key: str, error: Exception, names: Mapping[str, Any] | tuple[str, ...]) -> str:
    """An error of a part, under the key of the setting that its message names first (or of the whole table)."""
    message = str(error)
    words = message.replace("'", " ").replace(",", " ").split()
    setting = next((word for word in words if word in names), None)
    return f"{key}.{setting}: {message}" if setting is not None else f"{key}: {message}"
