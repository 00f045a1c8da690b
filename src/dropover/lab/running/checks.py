"""What a study asks for that can't be had: found by trying each part on something tiny, before anything is trained."""

import inspect
from collections.abc import Collection, Iterable, Iterator

import torch
from torch import nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import PIXELS
from dropover.lab.blame import ForeignError, Problem, is_foreign, one_line
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data, source_of
from dropover.lab.measuring.robustness import AT_INFERENCE, OF_CORRECT, PER_SECOND, WORST
from dropover.lab.models.parts.building import NONE, build_network, place_arm, shown_images
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.models.parts.inference import with_a_rate
from dropover.lab.models.parts.positions import PositionError
from dropover.lab.noise import NOISES
from dropover.lab.streams import WEIGHTS, generator, seeded
from dropover.lab.study import Arm, AttackSettings, DataSettings, Study
from dropover.methods import METHODS
from dropover.registry import did_you_mean

# What the other rows of the long table are called.
_MEASURES = {"clean", "train_loss", "test_loss", "test_accuracy", "seconds", "images_per_second", PER_SECOND}


def problems_of(study: Study) -> list[Problem]:
    """Everything in a study that can't be run, one line each, beginning with its key; empty if all is well.

    The images are read (a missing or damaged file is a problem like any other), every arm's network is built and shown
    two images, and noises and attacks are tried on a single pixel. Where the user's own code fails at it, the problem
    has that error as its cause.
    """
    data, problems = _data(study)
    # Without images the rest is checked on two grey ones of MNIST's shape, so that all problems come in one go.
    images = data if data is not None else _stand_in()
    network, model_problems = _model(study, images)
    problems += model_problems
    for index, arm in enumerate(study.arms):
        problems += _arm(f"arms[{index}]", study, arm, images, network)
    problems += _inference_rates(study)
    problems += _noises(study)
    problems += _attacks(study, images)
    most, asked = 0 if data is None else len(data.test_labels), study.evaluation.attack_images
    if data is not None and asked is not None and asked > most:
        line = f"must be at most {most}, the test images that the study has, got {asked}"
        problems.append(Problem(f"evaluation.attack_images: {line}"))
    return problems


def _data(study: Study) -> tuple[Data | None, list[Problem]]:
    try:
        source_of(study.data.name)
    except ValueError as error:
        return None, [Problem(f"data.name: {error}", error)]
    try:
        return load_data(study.data), []
    except ValueError as error:
        return None, [_located("data", error, DataSettings.model_fields)]
    except BaseException as error:
        return None, [_failed("data", study.data.name, error)]


def _stand_in() -> Data:
    images, labels = torch.full((2, 1, 28, 28), 128, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    return Data(images, labels, images, labels, tuple("0123456789"))


def _model(study: Study, data: Data) -> tuple[nn.Module | None, list[Problem]]:
    """The network without any arm's layers, or None where it can't be built."""
    name, given = study.model.name, study.model.settings
    try:
        network = network_named(name)
    except ValueError as error:
        return None, [Problem(f"model.name: {error}", error)]
    settings = network.settings()
    unknown = [] if network.takes_any_setting else [key for key in given if key not in settings]
    missing = [key for key, default in settings.items() if default is inspect.Parameter.empty and key not in given]
    problems = _unknown("model", f"network {name}", unknown, settings)
    problems += [Problem(f"model: network {name} needs a setting {each!r}") for each in missing]
    if problems:
        return None, problems
    try:
        return build_network(study, 0, data), []
    except (TypeError, ValueError) as error:
        return None, [_located("model", error, given)]
    except BaseException as error:
        return None, [_failed("model", name, error)]


def _arm(key: str, study: Study, arm: Arm, data: Data, network: nn.Module | None) -> list[Problem]:
    if arm.method == NONE:
        useless = [*(["at"] if arm.at is not None else []), *arm.settings]
        return [Problem(f"{key}.{name}: has no effect, since method {NONE!r} places nothing") for name in useless]
    try:
        method = METHODS.get(arm.method)
    except ValueError as error:
        return [Problem(f"{key}.method: {error}, {NONE}")]
    if method.kind == "weights":
        return [Problem(f"{key}.method: {method.name} wraps a layer and can't be placed in a study")]
    problems: list[Problem] = []
    if study.evaluation.inference_rates and method.name not in with_a_rate():
        line = f"{method.name} has no rate at inference, which evaluation.inference_rates asks for"
        problems.append(Problem(f"{key}.method: {line}: methods that have one are {', '.join(with_a_rate())}"))
    if arm.at == []:
        problems.append(Problem(f"{key}.at: is empty: leave it out for the default position, or name one"))
        network = None
    try:
        method.make(units=8, **arm.settings)
        if network is not None:
            for plan in place_arm(network, study, arm, shown_images(data)):
                plan.remove()
    except PositionError as error:
        problems.append(Problem(f"{key}.at: {' '.join(str(error).split())}", error))
    except (TypeError, ValueError) as error:
        problems.append(_located(key, error, arm.settings))
    except BaseException as error:
        problems.append(_failed(key, f"network {study.model.name} with this arm's layers", error))
    return problems


def _inference_rates(study: Study) -> Iterator[Problem]:
    rates = study.evaluation.inference_rates
    if rates and max(rates) > 1:
        yield Problem(f"evaluation.inference_rates: must be at most 1, got {max(rates):g}")
    if rates and all(arm.method == NONE for arm in study.arms):
        yield Problem(f"evaluation.inference_rates: has no effect, since no arm has another method than {NONE!r}")


def _noises(study: Study) -> Iterator[Problem]:
    image = torch.zeros(1, 1, 1, 1)
    for name, levels in study.evaluation.noise.items():
        try:
            noise = NOISES.get(name)
            for level in levels:
                noise.apply(image, level, generator(0, "check"))
        except (TypeError, ValueError) as error:
            yield Problem(f"evaluation.noise.{name}: {error}")


def _attacks(study: Study, data: Data) -> Iterator[Problem]:
    labels: dict[str, int] = {}
    units: dict[str, tuple[int, list[float]]] = {}
    taken = {*_MEASURES, *WORST.values(), *NOISES.names()}
    for index, settings in enumerate(study.evaluation.attacks):
        key, label = f"evaluation.attacks[{index}]", settings.label
        if label in labels:
            yield Problem(
                f"{key}.label: {label!r} is attacks[{labels[label]}] already: put all eps into one "
                "entry, or give one of them another label"
            )
        if label in taken or label.endswith((OF_CORRECT, AT_INFERENCE)):
            yield Problem(f"{key}.label: {label!r} is what another figure of the results is called")
        labels.setdefault(label, index)
        problems = _attack(key, settings, data)
        yield from problems
        if problems:
            continue
        terms = ATTACKS.get(settings.name).terms(settings.settings)
        first, stds = units.setdefault(terms.norm, (index, terms.stds))
        if stds != terms.stds:
            yield Problem(
                f"{key}.units: eps are in other units than those of attacks[{first}]: the worst case over all attacks "
                f"in {terms.norm} needs one unit"
            )


def _attack(key: str, settings: AttackSettings, data: Data) -> list[Problem]:
    """Problems of one attack, met on a black image at eps = 0, where it checks all and does nothing."""
    try:
        attack = ATTACKS.get(settings.name)
    except ValueError as error:
        return [Problem(f"{key}.name: {error}")]
    unknown = [name for name in settings.settings if name not in attack.settings]
    if unknown:
        return _unknown(key, f"attack {settings.name}", unknown, attack.settings)
    image, label = torch.zeros((1, *data.train_images.shape[1:])), torch.zeros(1, dtype=torch.int64)
    with seeded(0, WEIGHTS):
        model = nn.Sequential(nn.Flatten(), nn.Linear(image.numel(), len(data.classes)))
    try:
        terms = attack.terms(settings.settings)
        furthest = float(terms.ball(image).length(torch.ones_like(image)))
        attack.run(model, image, label, [0.0], generator(0, "check"), **settings.settings)
    except (TypeError, ValueError) as error:
        return [_located(key, error, settings.settings)]
    if max(settings.eps) > furthest:
        unit = "in pixels" if terms.units == PIXELS else "in units of the normalised input"
        return [Problem(f"{key}.eps: is {unit}, at most {furthest:g} ({terms.norm}), got {max(settings.eps)}")]
    return []


def _unknown(key: str, what: str, unknown: Iterable[str], settings: Collection[str]) -> list[Problem]:
    """A problem for each setting that there isn't."""
    there_are = f"known are {', '.join(settings)}" if settings else "it has none"
    return [
        Problem(f"{key}.{name}: {what} has no such setting: {did_you_mean(name, settings, most=2)}{there_are}")
        for name in unknown
    ]


def _located(key: str, error: Exception, names: Collection[str]) -> Problem:
    """An error of a part, under the key of the setting that its message names first (or of the whole table)."""
    message = one_line(error) if is_foreign(error) and not isinstance(error, ForeignError) else str(error)
    words = message.replace("'", " ").replace(",", " ").split()
    setting = next((word for word in words if word in names), None)
    return Problem(f"{key}.{setting}: {message}" if setting is not None else f"{key}: {message}", error)


def _failed(key: str, what: str, error: BaseException) -> Problem:
    """Anything else that the user's code may raise, even to end the program; but Ctrl-C goes on its way."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    return Problem(f"{key}: {what} failed: {one_line(error)}", error)
