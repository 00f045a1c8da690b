"""One trial: one arm and one seed of a study, from the first weights to the last attack."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover.lab.data import Data
from dropover.lab.data.loading import balanced_prefix, load_data
from dropover.lab.evaluation import Examples, logits_on, right_under_attack, right_under_noise
from dropover.lab.models import NETWORKS
from dropover.lab.models.slots import DEFAULT_POSITION, place, positions
from dropover.lab.streams import WEIGHTS, seeded
from dropover.lab.study import Arm, Study
from dropover.lab.training import Trained, train
from dropover.methods import METHODS

NONE = "none"

# Share of a trial's work that is training, for the progress bar alone.
_TRAINING_SHARE = 0.8


@dataclass(frozen=True)
class Row:
    """One measured value. `level` is an epoch, a noise level or an ε; None where there is only one value."""

    measure: str
    level: float | None
    value: float


@dataclass(frozen=True)
class Progress:
    """How far a trial is: share of its work done, last known test accuracy, and what it is doing."""

    done: float
    accuracy: float | None
    stage: str


def ignore(_progress: Progress) -> None:
    """A report that nobody reads."""


def build_model(study: Study, arm: Arm, seed: int, data: Data) -> nn.Module:
    """The study's network with the arm's layers placed, its weights drawn from the seed's stream "weights"."""
    _, channels, size, _ = data.train_images.shape
    network = NETWORKS.get(study.model.name)
    with seeded(seed, WEIGHTS):
        model = network.build(channels, size, len(data.classes), **study.model.settings)
    if arm.method != NONE:
        method = METHODS.get(arm.method)
        there = positions(model)
        for position in positions_of(arm):
            place(model, position, method.make(units=there[position].units, **arm.settings))
    return model.to(memory_format=torch.channels_last)


def positions_of(arm: Arm) -> list[str]:
    """Where an arm's layers go: where it says, else at the position that its method is meant for."""
    return arm.at if arm.at is not None else [DEFAULT_POSITION[METHODS.get(arm.method).kind]]


def run_trial(study: Study, arm: Arm, seed: int, report: Callable[[Progress], None] = ignore) -> list[Row]:
    """Train the study's network under one arm and measure everything that the study asks for.

    Args:
        study: A study that has been checked.
        arm: One of its arms.
        seed: One of its seeds.
        report: Called with the progress, several times an epoch and once before each measurement.

    Returns:
        The rows "clean", "train_loss", "test_loss", "test_accuracy" (level: epoch from 1), one per noise and level,
        "NAME" and "NAME (of correct)" per attack and ε, "worst" per ε, "seconds" and "images_per_second".

    Raises:
        DivergedError: the training loss became infinite or NaN.
    """
    data = load_data(study.data)
    model = build_model(study, arm, seed, data)
    report(Progress(0.0, None, "training"))
    trained = train(
        model,
        data,
        study.training,
        seed,
        arm.label,
        study.evaluation.batch_size,
        lambda done, accuracy: report(Progress(_TRAINING_SHARE * done, accuracy, "training")),
    )
    model.eval()
    rows = list(_training_rows(trained))
    examples = Examples(data.test_images, data.test_labels, study.evaluation.batch_size)
    clean = logits_on(model, examples, seed).argmax(1) == data.test_labels
    rows.insert(0, Row("clean", None, _share(clean)))

    def at(part: float, stage: str) -> None:
        report(Progress(_TRAINING_SHARE + (1 - _TRAINING_SHARE) * part, rows[0].value, stage))

    rows += _noise_rows(study, model, examples, seed, lambda part: at(0.2 * part, "noise"))
    rows += _attack_rows(study, model, examples, clean, seed, lambda part, name: at(0.2 + 0.8 * part, name))
    at(1.0, "done")
    return rows


def _training_rows(trained: Trained) -> Iterator[Row]:
    for number, epoch in enumerate(trained.epochs, start=1):
        yield Row("train_loss", number, epoch.train_loss)
        yield Row("test_loss", number, epoch.test_loss)
        yield Row("test_accuracy", number, epoch.test_accuracy)
    yield Row("seconds", None, trained.seconds)
    yield Row("images_per_second", None, trained.images_per_second)


def _noise_rows(
    study: Study, model: nn.Module, examples: Examples, seed: int, report: Callable[[float], None]
) -> list[Row]:
    wanted = [(name, level) for name, levels in study.evaluation.noise.items() for level in levels]
    rows = []
    for index, (name, level) in enumerate(wanted):
        report(index / len(wanted))
        rows.append(Row(name, level, _share(right_under_noise(model, examples, seed, name, level))))
    return rows


def _attack_rows(
    study: Study,
    model: nn.Module,
    examples: Examples,
    clean: Tensor,
    seed: int,
    report: Callable[[float, str], None],
) -> list[Row]:
    """Only what the model gets right is attacked in earnest: an image that it gets wrong stays wrong."""
    chosen = balanced_prefix(examples.labels, study.evaluation.attack_images or len(examples.labels))
    attacked = Examples(examples.images[chosen], examples.labels[chosen], examples.batch_size)
    before = clean[chosen]
    wanted = [(settings, eps) for settings in study.evaluation.attacks for eps in settings.eps]
    worst: dict[float, Tensor] = {}
    rows = []
    for index, (settings, eps) in enumerate(wanted):
        report(index / len(wanted), settings.name)
        still = before & right_under_attack(model, attacked, seed, settings, eps)
        worst[eps] = worst.get(eps, before) & still
        rows.append(Row(settings.name, eps, _share(still)))
        rows.append(Row(f"{settings.name} (of correct)", eps, _share(still[before])))
    rows += [Row("worst", eps, _share(right)) for eps, right in sorted(worst.items())]
    return rows


def _share(right: Tensor) -> float:
    """The share of true values; NaN for the share of nothing."""
    return float(right.double().mean())
