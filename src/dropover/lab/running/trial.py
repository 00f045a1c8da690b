"""One trial: one arm and one seed of a study, from the first weights to the last attack."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dropover.lab.data.parts.loading import load_data
from dropover.lab.devices import device_named
from dropover.lab.examples import Examples, logits_on
from dropover.lab.measuring.robustness import attack_rows, noise_rows
from dropover.lab.records.rows import Row, share
from dropover.lab.study import Arm, Study
from dropover.lab.training.loop import Trained
from dropover.lab.training.trained import trained_net

# Share of a trial's work that is training, for the progress bar alone.
_TRAINING_SHARE = 0.8


@dataclass(frozen=True)
class TrialProgress:
    """How far a trial is: share of its work done, last known test accuracy, what it is doing; a line for the user."""

    done: float
    accuracy: float | None
    stage: str
    notice: str = ""


def run_trial(
    study: Study,
    arm: Arm,
    seed: int,
    report: Callable[[TrialProgress], None] = lambda _progress: None,
    nets: Path | None = None,
) -> list[Row]:
    """Train the study's network under one arm and measure everything that the study asks for.

    The study has been checked. `report` is called several times an epoch and once before each measurement. Trained nets
    are taken from the folder `nets`, or trained and then kept there; without it none is kept.

    Returns:
        The rows "clean", "train_loss", "test_loss", "test_accuracy" (level: epoch from 1), one per noise and level, two
        per attack and ε (of all and of the correct images), "worst" per norm and ε, "seconds", "images_per_second"
        and, with attacks, "attacked_per_second".

    Raises:
        DivergedError: the training loss became infinite or NaN.
    """
    data = load_data(study.data).to(device_named(study.device))

    def training(done: float, accuracy: float | None, notice: str = "") -> None:
        report(TrialProgress(_TRAINING_SHARE * done, accuracy, "training", notice))

    training(0.0, None)
    model, trained = trained_net(study, arm, seed, data, nets, training, lambda line: training(0.0, None, line))
    examples = Examples(data.test_images, data.test_labels, study.evaluation.batch_size)
    clean = logits_on(model, examples, seed)
    accuracy = share(clean.argmax(1) == data.test_labels)
    rows = [Row("clean", None, accuracy), *_training_rows(trained)]

    def measuring(done: float, stage: str) -> None:
        report(TrialProgress(_TRAINING_SHARE + (1 - _TRAINING_SHARE) * done, accuracy, stage))

    rows += noise_rows(study, model, examples, seed, lambda part: measuring(0.2 * part, "noise"))
    rows += attack_rows(study, model, examples, clean, seed, lambda part, name: measuring(0.2 + 0.8 * part, name))
    measuring(1.0, "done")
    return rows


def _training_rows(trained: Trained) -> Iterator[Row]:
    for number, epoch in enumerate(trained.epochs, start=1):
        yield Row("train_loss", number, epoch.train_loss)
        yield Row("test_loss", number, epoch.test_loss)
        yield Row("test_accuracy", number, epoch.test_accuracy)
    yield Row("seconds", None, trained.seconds)
    yield Row("images_per_second", None, trained.images_per_second)
