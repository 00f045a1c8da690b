"""Trained nets kept on disk, so that whatever else is asked of one never trains it again."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from dropover.lab.data import Data
from dropover.lab.devices import device_named, put
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.records.files import DamagedError, set_aside
from dropover.lab.records.fingerprints import net_fingerprint
from dropover.lab.study import Arm, Study
from dropover.lab.training.kept import keep, load
from dropover.lab.training.loop import Report, Trained, train
from dropover.lab.training.several import train_on_several


def net_path(folder: Path, study: Study, arm: Arm, seed: int) -> Path:
    """Where the net of that arm and seed is kept. All that determines its training is in the name."""
    return folder / f"{net_fingerprint(study, arm, seed)[:32]}.pt"


def trained_net(
    study: Study,
    arm: Arm,
    seed: int,
    data: Data,
    folder: Path | None = None,
    report: Report = lambda _done, _epochs: None,
    notify: Callable[[str], object] = lambda line: sys.stderr.write(f"{line}\n"),
    checkpoints: Checkpoints | None = None,
) -> tuple[nn.Module, Trained]:
    """The trained net of one arm and seed, in evaluation mode, with the record of its training.

    The study has been checked, and the data are its images. The net comes on the study's device, as `put` puts it.
    Nets are read from `folder`, or trained and then kept there; without it nothing is kept. `report` is that of
    `train`, which may raise `DivergedError`; `notify` is called with a line about a file that is not what was kept, and
    is set aside. A training that was killed goes on from `checkpoints`.
    """
    device = device_named(study.device)
    model = build_model(study, arm, seed, data)
    path = None if folder is None else net_path(folder, study, arm, seed)
    if path is not None:
        try:
            kept = load(path, model)
        except DamagedError as reason:
            kept = None
            notify(f"{set_aside(path, reason)}; {arm.label}, seed {seed} is trained again")
            model = build_model(study, arm, seed, data)  # the file may have been read in part
        if kept is not None:
            return put(model, device, study.precision).eval(), kept
    if study.devices_per_trial > 1:
        with TemporaryDirectory() as temporary:
            file = path or Path(temporary) / "net.pt"
            train_on_several(study, arm, seed, file, report, notify, checkpoints or Checkpoints())
            trained = load(file, model)
        assert trained is not None
        return put(model, device, study.precision).eval(), trained
    put(model, device, study.precision)
    batch = study.evaluation.batch_size
    trained = train(model, data.to(device), study.training, seed, arm.label, batch, report, checkpoints)
    if path is not None:
        keep(path, model, trained)
    return model.eval(), trained
