"""The lab's own training function: a network on images, as the tables `data`, `model` and `training` say."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from dropover.lab.data.parts.loading import load_data
from dropover.lab.running.trial import Trial
from dropover.lab.training.course import Epoch
from dropover.lab.training.trained import trained_net


def train_on_images(
    trial: Trial, nets: Path | None = None
) -> tuple[nn.Module, dict[str, float], tuple[Tensor, Tensor]]:
    """Train the study's network under the trial's arm.

    Trained nets are taken from the folder `nets`, or trained and then kept there; without it none is kept.

    Returns:
        The net, how fast it was trained, and the images to test it on.

    Raises:
        DivergedError: the training loss became infinite or NaN.
    """
    study = trial.study
    data = load_data(study.data).to(trial.device)

    logged: list[Epoch] = []

    def report(done: float, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs[len(logged) :]:
            logged.append(epoch)
            trial.log(len(logged), **vars(epoch))
        trial.progress(done, **({"accuracy": epochs[-1].test_accuracy} if epochs else {}))

    report(0.0, ())
    arm = study.arm(trial.arm)
    model, trained = trained_net(study, arm, trial.seed, data, nets, report, trial.say, trial.checkpoints)
    report(1.0, trained.epochs)
    speed = {"seconds": trained.seconds, "images_per_second": trained.images_per_second}
    return model, speed, (data.test_images, data.test_labels)
