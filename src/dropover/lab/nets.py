"""Trained nets kept on disk, so that whatever else is asked of one never trains it again."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from dropover.lab.data import Data
from dropover.lab.fingerprints import net_fingerprint
from dropover.lab.models.building import build_model
from dropover.lab.models.state import load_net_state, net_state
from dropover.lab.study import Arm, Study
from dropover.lab.training import Epoch, Trained, train


def net_path(folder: Path, study: Study, arm: Arm, seed: int) -> Path:
    """Where the net of that arm and seed is kept. All that determines its training is in the name."""
    return folder / f"{net_fingerprint(study, arm, seed)[:32]}.pt"


def trained_net(
    study: Study,
    arm: Arm,
    seed: int,
    data: Data,
    folder: Path | None = None,
    report: Callable[[float, float | None], None] = lambda _done, _accuracy: None,
) -> tuple[nn.Module, Trained]:
    """The trained net of one arm and seed, in evaluation mode, with the record of its training.

    Args:
        study: A study that has been checked.
        arm: One of its arms.
        seed: One of its seeds.
        data: The study's images.
        folder: Where nets are kept: read from there, or trained and then kept there. Without it nothing is kept.
        report: Called with the share of training done and the last epoch's test accuracy.

    Raises:
        DivergedError: the training loss became infinite or NaN.
    """
    model = build_model(study, arm, seed, data)
    path = None if folder is None else net_path(folder, study, arm, seed)
    if path is not None and path.exists():
        known = _load(path, model)
        if known is not None:
            return model.eval(), known
        model = build_model(study, arm, seed, data)  # a damaged file may have been read in part
    trained = train(model, data, study.training, seed, arm.label, study.evaluation.batch_size, report)
    if path is not None:
        _save(path, model, trained)
    return model.eval(), trained


def _save(path: Path, model: nn.Module, trained: Trained) -> None:
    """Written whole or not at all; tensors and plain data only, nothing that would run when it is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".net-")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save({"state": net_state(model), "trained": asdict(trained)}, file)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _load(path: Path, model: nn.Module) -> Trained | None:
    """Fill `model` from the file and return its record; None where there is no such file, or a damaged one."""
    try:
        kept = torch.load(path, weights_only=True)
        record = kept["trained"]
        trained = Trained(
            [Epoch(**epoch) for epoch in record["epochs"]], record["seconds"], record["images_per_second"]
        )
        load_net_state(model, kept["state"])
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, UnpicklingError):
        return None
    return trained
