"""Kept nets: what comes back is what was kept, or is trained again and said so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dropover.lab.data.parts.loading import load_data
from dropover.lab.digests import of_tensors
from dropover.lab.models.parts.placed_layers import net_state
from dropover.lab.running.calling import run_trial
from dropover.lab.running.progress import TrialProgress
from dropover.lab.study import Study
from dropover.lab.training import trained as nets

STUDY = Study.model_validate(
    {
        "seeds": 1,
        "data": {"train_limit": 40, "test_limit": 20},
        "model": {"width": 0.1},
        "training": {"epochs": 1},
        "arms": [{"method": "none"}],
    }
)


def trained(folder: Path, notes: list[str]) -> tuple[dict[str, torch.Tensor], nets.Trained]:
    data = load_data(STUDY.data)
    model, record = nets.trained_net(STUDY, STUDY.arms[0], 0, data, folder, notify=notes.append)
    return net_state(model), record


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """The file with something in it changed, written anew by torch."""

    def damage(path: Path) -> None:
        kept = torch.load(path, weights_only=True)
        change(kept)
        torch.save(kept, path)

    return damage


def _weight(kept: dict[str, Any]) -> None:
    next(iter(kept["state"].values())).view(-1)[0] += 1e-6


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (changed(_weight), "was changed since it was written"),
        (changed(lambda kept: kept["trained"]["epochs"][0].update(test_accuracy=0.999)), "was changed since"),
        (changed(lambda kept: kept.pop("checksum")), "can't be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1000]), "can't be read"),
        (lambda path: path.write_bytes(b""), "can't be read"),
    ],
)
def test_a_damaged_net_is_named_set_aside_and_trained_again(
    tmp_path: Path, damage: Callable[[Path], object], says: str
):
    notes: list[str] = []
    state, record = trained(tmp_path, notes)
    path = nets.net_path(tmp_path, STUDY, STUDY.arms[0], 0)
    assert trained(tmp_path, notes)[1] == record
    assert notes == []
    damage(path)
    content = path.read_bytes()
    again, _ = trained(tmp_path, notes)
    assert of_tensors(again) == of_tensors(state)
    assert len(notes) == 1
    assert notes[0].startswith(f"{path} {says}")
    assert notes[0].endswith(f": set aside as {path.name}.damaged; none, seed 0 is trained again")
    assert path.with_name(f"{path.name}.damaged").read_bytes() == content
    trained(tmp_path, notes)
    assert len(notes) == 1


def test_a_trial_reports_a_damaged_net(tmp_path: Path):
    run_trial(STUDY, STUDY.arms[0], 0, nets=tmp_path)
    nets.net_path(tmp_path, STUDY, STUDY.arms[0], 0).write_bytes(b"")
    reports: list[TrialProgress] = []
    run_trial(STUDY, STUDY.arms[0], 0, reports.append, tmp_path)
    assert ["set aside" in report.notice for report in reports if report.notice] == [True]


def test_equal_tensors_have_equal_digests_and_others_others():
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 2, 2)
    others = [base + 1, base.double(), base.reshape(2, 12), base.int(), base.bfloat16(), base != 0, base[:0]]
    found = [of_tensors({"a": each}) for each in (base, *others)]
    found += [of_tensors({"b": base}), of_tensors({"a": base, "b": base}), of_tensors({"a": torch.tensor(1.0)})]
    assert len(set(found)) == len(found)
    assert of_tensors({"a": base.to(memory_format=torch.channels_last)}) == found[0]
    assert of_tensors({"a": base.clone().requires_grad_()}) == found[0]
