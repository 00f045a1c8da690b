"""A net trained on several devices: what each of their processes does, and what it is told for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dropover.lab.data.parts.loading import load_data
from dropover.lab.devices import groups, put
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.checkpoints import Checkpoints, Pace
from dropover.lab.records.fingerprints import net_fingerprint
from dropover.lab.study import Arm, Study
from dropover.lab.training.course import Epoch
from dropover.lab.training.kept import keep
from dropover.lab.training.loop import Report, train
from dropover.lab.training.rank import OneOfSeveral
from dropover.lab.training.together import LostError, together

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_Message = tuple[float, Sequence[Epoch]] | str
"""How far the training is, and the epochs that are over; or a line for the user."""


@dataclass(frozen=True)
class _Task:
    """Which net to train and where to keep it, and what is known of it: its fingerprint, a killed training of it."""

    study: Study
    arm: Arm
    seed: int
    path: Path
    fingerprint: str
    unfinished: Path | None
    pace: Pace


def train_on_several(
    study: Study,
    arm: Arm,
    seed: int,
    path: Path,
    report: Report,
    notify: Callable[[str], object],
    checkpoints: Checkpoints,
) -> None:
    """Train a net on as many devices as the study says, and keep it in a file.

    What it learns from is what one process would: the same batches in the same order with the same augmentation, of
    which each process has an even part, and the mean loss over all of a batch. Each draws masks of its own, and batch
    norm and densities see the part alone; statistics that a net keeps for inference are those of the first process.

    Args:
        study: It has been checked.
        arm: One of its arms.
        seed: The trial's.
        path: The file, see `keep`.
        report: That of `train`; called in another thread of this process.
        notify: Called with lines for the user, likewise.
        checkpoints: Where a killed training goes on from.

    Raises:
        DivergedError: the training loss became infinite or NaN.
        LostError: a process was killed, or code or images changed before it began.
    """
    task = _Task(study, arm, seed, path, net_fingerprint(study, arm, seed), checkpoints.path, checkpoints.pace)

    def hear(message: _Message) -> None:
        if isinstance(message, str):
            notify(message)
        else:
            report(*message)

    together(groups(study.device, study.devices_per_trial)[0], partial(_train, task), hear)


def _train(task: _Task, fabric: "Fabric", tell: Callable[[_Message], None]) -> None:
    study, arm, seed = task.study, task.arm, task.seed
    if net_fingerprint(study, arm, seed) != task.fingerprint:
        raise LostError("code or images changed after the trial had begun; the same command runs it anew")
    data = load_data(study.data)
    model = put(build_model(study, arm, seed, data), fabric.device, study.precision)
    rank = OneOfSeveral(fabric, seed)
    checkpoints = Checkpoints(task.unfinished if rank.is_first else None, task.pace, tell)

    def report(done: float, epochs: Sequence[Epoch]) -> None:
        if rank.is_first:
            tell((done, epochs))

    batch = study.evaluation.batch_size
    data = data.to(fabric.device)
    trained = train(model, data, study.training, seed, arm.label, batch, report, checkpoints, rank)
    if rank.is_first:
        keep(task.path, model, trained)
