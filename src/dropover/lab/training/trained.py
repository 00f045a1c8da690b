"""Trained nets kept on disk, so that whatever else is asked of one never trains it again."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dropover.lab.data import Data
from dropover.lab.devices import device_named, put
from dropover.lab.digests import of_plain, of_tensors
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.placed_layers import load_net_state, net_state
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.records.files import DamagedError, set_aside, write
from dropover.lab.records.fingerprints import net_fingerprint
from dropover.lab.study import Arm, Study
from dropover.lab.tensor_files import read_tensors, write_tensors
from dropover.lab.training.course import Epoch
from dropover.lab.training.loop import Trained, train


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
            kept = _load(path, model)
        except DamagedError as reason:
            kept = None
            notify(f"{set_aside(path, reason)}; {arm.label}, seed {seed} is trained again")
            model = build_model(study, arm, seed, data)  # the file may have been read in part
        if kept is not None:
            return put(model, device, study.precision).eval(), kept
    put(model, device, study.precision)
    batch = study.evaluation.batch_size
    trained = train(model, data.to(device), study.training, seed, arm.label, batch, report, checkpoints)
    if path is not None:
        # Tensors and plain data only, nothing that would run when it is read.
        state, record = net_state(model), asdict(trained)
        content = {"state": state, "trained": record, "checksum": _checksum(state, record)}
        write(path, lambda file: write_tensors(content, file))
    return model.eval(), trained


def _load(path: Path, model: nn.Module) -> Trained | None:
    """Fill `model` from the file and return its record; None without such a file, `DamagedError` if it is damaged."""
    try:
        kept = read_tensors(path)
        record = kept["trained"]
        if kept["checksum"] != _checksum(kept["state"], record):
            raise DamagedError("was changed since it was written")
        load_net_state(model, kept["state"])
        return Trained(**{**record, "epochs": [Epoch(**epoch) for epoch in record["epochs"]]})
    except FileNotFoundError:
        return None
    except (RuntimeError, ValueError, KeyError, TypeError):
        raise DamagedError("can't be read") from None


def _checksum(state: dict[str, Tensor], record: dict[str, Any]) -> str:
    return of_plain([of_tensors(state), record])
