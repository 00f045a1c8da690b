"""A trial run: its training function called, what it returned read, and the model measured that it gave."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dropover.lab.devices import device_of
from dropover.lab.examples import Examples, logits_on
from dropover.lab.measuring.robustness import attack_rows, noise_rows
from dropover.lab.records.checkpoints import Pace
from dropover.lab.records.rows import ATTACKED, CLEAN, PER_SECOND, WORST, Row, of_audit, share
from dropover.lab.running.audited import audit_rows
from dropover.lab.running.figures import as_number
from dropover.lab.running.images import train_on_images
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.trial import Trial
from dropover.lab.streams import WEIGHTS, begin, isolated
from dropover.lab.study import Arm, Study
from dropover.lab.user_code import factory_named

SECONDS = "seconds"
RESERVED = (CLEAN, WORST, f"{WORST} l2", PER_SECOND, ATTACKED)
"""What a function can't call its measures: figures of ours."""
# Share of a trial's work that is training, for the progress bar alone.
_TRAINING_SHARE = 0.8


class ReturnedError(ValueError):
    """What a training function returned is not what it should return."""


def run_trial(
    study: Study,
    arm: Arm,
    seed: int,
    report: Callable[[TrialProgress], None] = lambda _progress: None,
    nets: Path | None = None,
    results: Path = Path("results"),
    pace: Pace | None = None,
) -> list[Row]:
    """Train under one arm and measure everything that the study asks for.

    The study has been checked. `report` is called now and then, and once before each measurement. The lab's own
    training keeps its nets in the folder `nets`, if there is one; `results` holds the folders of the user's functions,
    and what a trial goes on from that was killed: it is kept at this pace, or not at all.

    Returns:
        What was logged, with its step as level, and what was returned. Of a function that returned a model with images
        to test it on, the lab's own among them, "clean", a row per noise and level, two per attack and ε (of all and
        of the correct images), "worst" per norm and ε and, with attacks, "attacked_per_second" and what
        `audit_rows` gives. The lab's own has
        logged "train_loss", "test_loss", "test_accuracy", and returned "seconds" and "images_per_second".

    Raises:
        DivergedError: the training loss became infinite or NaN.
        ReturnedError: the user's function returned something else than it should.
    """
    accuracy: float | None = None
    measured = study.trial is None or study.evaluation.noise or study.evaluation.attacks
    part = _TRAINING_SHARE if measured else 1.0

    def training(progress: TrialProgress) -> None:
        report(replace(progress, done=part * progress.done))

    def measuring(done: float, stage: str) -> None:
        report(TrialProgress(part + (1 - part) * done, accuracy, stage))

    trial = Trial(study, arm.label, seed, training, results, pace)
    returned = _called(trial, nets)
    model, metrics, images = _parts(returned, study)
    rows = [*trial.rows, *(Row(name, None, value) for name, value in metrics.items())]
    if SECONDS not in metrics:
        rows.append(Row(SECONDS, None, trial.seconds))
    if model is None or images is None:
        measuring(1.0, "done")
        return rows
    model.eval()
    if study.trial is not None:
        images = (images[0].to(device_of(model)), images[1].to(device_of(model)))
    examples = Examples(*images, study.evaluation.batch_size)
    clean = logits_on(model, examples, seed)
    accuracy = share(clean.argmax(1) == examples.labels)
    rows.insert(0, Row(CLEAN, None, accuracy))
    rows += noise_rows(study, model, examples, seed, lambda done: measuring(0.2 * done, "noise"))
    rows += attack_rows(study, model, examples, clean, seed, lambda done, name: measuring(0.2 + 0.4 * done, name))
    rows += audit_rows(study, model, examples, seed, lambda done, name: measuring(0.6 + 0.4 * done, name), trial.say)
    if study.trial is not None and study.evaluation.attacks:
        rows.append(Row(ATTACKED, None, min(len(clean), study.evaluation.attack_images or len(clean))))
    measuring(1.0, "done")
    return rows


def _called(trial: Trial, nets: Path | None) -> Any:
    """What the study's function returns, called with the seed's first random numbers."""
    function = trial.study.trial
    with isolated():
        begin(trial.seed, WEIGHTS)
        try:
            if function is None:
                return train_on_images(trial, nets)
            returned = factory_named(function.function)(trial)
            trial.end()
        except BaseException:
            trial.tell_rest()
            raise
        return returned


def _parts(returned: Any, study: Study) -> tuple[nn.Module | None, dict[str, float], tuple[Tensor, Tensor] | None]:
    """Model, metrics and test images of what a function returned: metrics alone, or a tuple with the model first."""
    name = "the function" if study.trial is None else study.trial.function
    has_model = isinstance(returned, tuple) and returned and isinstance(returned[0], nn.Module)
    parts: tuple[Any, ...] = returned if has_model else (None, returned)
    if len(parts) not in (2, 3) or not isinstance(parts[1], Mapping):
        raise ReturnedError(
            f"{name} must return a dictionary of figures such as {{'accuracy': 0.9}}, or (model, figures), or (model, "
            f"figures, (test_images, test_labels)), got {_kind(returned)}"
        )
    model, metrics = parts[0], _metrics(parts[1], name)
    images = _images(parts[2], name) if len(parts) == 3 else None
    if study.trial is not None and images is None and (study.evaluation.noise or study.evaluation.attacks):
        raise ReturnedError(
            f"{name} must return (model, figures, (test_images, test_labels)) for noise and attacks, got "
            f"{_kind(returned)}"
        )
    if not metrics and images is None:
        raise ReturnedError(f"{name} returned no figure")
    return model, metrics, images


def _metrics(returned: Mapping[Any, Any], name: str) -> dict[str, float]:
    metrics = {}
    for key, value in returned.items():
        if not isinstance(key, str):
            raise ReturnedError(f"{name}: names of figures must be texts, got {key!r}")
        if key in RESERVED or of_audit(key):
            raise ReturnedError(
                f"{name} returned {key!r}, which is what a figure of the lab's own is called: rename it"
            )
        try:
            metrics[key] = as_number(key, value)
        except ValueError as error:
            raise ReturnedError(f"{name}: {error}") from None
        if not math.isfinite(metrics[key]):
            raise ReturnedError(f"{name} returned {key} = {metrics[key]}: training may have diverged")
    return metrics


def _images(returned: Any, name: str) -> tuple[Tensor, Tensor]:
    fine = isinstance(returned, tuple | list) and len(returned) == 2 and all(isinstance(x, Tensor) for x in returned)
    if not fine:
        raise ReturnedError(f"{name}: test images must be a pair of tensors (images, labels), got {_kind(returned)}")
    images, labels = returned
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(labels):
        raise ReturnedError(
            f"{name}: test images must be of shape (N, C, H, W) and labels of shape (N,), got "
            f"{tuple(images.shape)} and {tuple(labels.shape)}"
        )
    if images.is_floating_point() and not (images.min() >= 0 and images.max() <= 1):
        raise ReturnedError(
            f"{name}: test images must be pixels in [0, 1], or bytes, got {images.min():g} to {images.max():g}: "
            f"the model should normalise them itself"
        )
    if not images.is_floating_point() and images.dtype != torch.uint8:
        raise ReturnedError(f"{name}: test images must be floating in [0, 1] or uint8, got {images.dtype}")
    return images, labels.long()


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_kind, value))})"
    return "None" if value is None else type(value).__name__
