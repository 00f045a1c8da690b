"""The file of a trained net: its weights, and the record of its training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dropover.lab.digests import of_plain, of_tensors
from dropover.lab.models.parts.placed_layers import load_net_state, net_state
from dropover.lab.records.files import DamagedError, write
from dropover.lab.tensor_files import read_tensors, write_tensors
from dropover.lab.training.course import Epoch
from dropover.lab.training.loop import Trained


def keep(path: Path, model: nn.Module, trained: Trained) -> None:
    """Write the file: tensors and plain data only, nothing that would run when it is read."""
    state, record = net_state(model), asdict(trained)
    content = {"state": state, "trained": record, "checksum": _checksum(state, record)}
    write(path, lambda file: write_tensors(content, file))


def load(path: Path, model: nn.Module) -> Trained | None:
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
