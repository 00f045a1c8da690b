"""Files that would run something where they are read as Python's pickle reads them."""

import hashlib
import io
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ground import STUDIES, TRIALS, Ground, Say, demand
from torch import nn


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._folder,)


def _saved(value: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **how)
    return file.getvalue()


def _among_tensors(payload: Payload) -> dict[str, Any]:
    return {**nn.Linear(3, 2).state_dict(), "note": payload}


WEIGHTS: dict[str, Callable[[Payload], bytes]] = {
    "whole.pt": _saved,
    "among-tensors.pt": lambda payload: _saved(_among_tensors(payload)),
    "old-format.pt": lambda payload: _saved(_among_tensors(payload), _use_new_zipfile_serialization=False),
    "bare-pickle.pth": pickle.dumps,
    "misnamed.safetensors": lambda payload: _saved(_among_tensors(payload)),
    "bare-pickle.safetensors": pickle.dumps,
}


def refused(ground: Ground, _moments: int, _say: Say) -> str:
    """Weights and checkpoints that hold a payload."""
    ran = ground.folder / "the payload ran"
    for name, content in WEIGHTS.items():
        (ground.folder / name).write_bytes(content(Payload(ran)))
        told = ground.run("inspect", "small-cnn", "--data", "mnist-5k", "--weights", name)
        demand((told.code, told.err.count("\n")) == (2, 1), f"{name}: exit code {told.code}: {told.err}")
        demand(told.err.startswith(f"{name}: "), told.err)
        demand(not ran.exists(), f"{name}: the payload ran")
    for study in STUDIES:
        ground.whole(study)
        shutil.copytree(ground.folder / "whole" / study, ground.folder / f"poisoned-{study}")
        for trial in ground.trials(f"poisoned-{study}").glob("*.json"):
            content = _saved(Payload(ran))
            trial.with_suffix(".checkpoint").write_bytes(content + hashlib.sha256(content).hexdigest().encode())
            trial.unlink()
        told = ground.ends_as_undisturbed(study, f"poisoned-{study}")
        aside = list(ground.trials(f"poisoned-{study}").glob("*.checkpoint.damaged"))
        demand(len(aside) == TRIALS and "can't be read: set aside as" in told.out, told.out)
        demand(not ran.exists(), "the payload of a checkpoint ran")
    weights = f"{len(WEIGHTS)} files of weights refused in a line with exit code 2"
    return f"{weights}, {len(STUDIES) * TRIALS} checkpoints set aside; none ran"
