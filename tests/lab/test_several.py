"""One trial on several devices: two processes that Fabric launches, and what one process would have come to."""

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import lightning_fabric  # noqa: F401  # before it is asked for where torchmetrics is left out
import pytest
import torch
from torch import Tensor

from dropover.lab.blame import ForeignError
from dropover.lab.devices import CPU
from dropover.lab.records.stock import take_stock
from dropover.lab.running.calling import run_trial
from dropover.lab.running.passing import is_passing
from dropover.lab.running.starting import OUTPUT
from dropover.lab.running.study_file import read_study, well_formed
from dropover.lab.training.together import LostError, together

from ..commands import POSIX, is_let_go, started, wait_for
from . import ranks

WORLD = 2


@pytest.fixture
def lean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started as where torchmetrics isn't installed: Fabric imports it, seconds long, for its version."""
    folder = tmp_path / "lean"
    folder.mkdir()
    (folder / "torchmetrics.py").write_text('raise ImportError("left out")\n', encoding="utf-8")
    root = Path(__file__).parents[2]
    for path in (root, folder):
        monkeypatch.syspath_prepend(str(path))
    paths = filter(None, (str(folder), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.mark.usefixtures("lean")
def test_ranks_learn_what_one_process_does_until_one_fails(tmp_path: Path) -> None:
    """All in one launch, which takes seconds; what is seen in it is told below."""
    before, heard = dict(os.environ), []
    with pytest.raises(ForeignError, match=r"^rank 1: ValueError: planted \(.*ranks.py, line \d+\)$") as failure:
        together([CPU] * WORLD, partial(ranks.everything, tmp_path), heard.append)
    assert "in everything" in str(failure.value.__cause__)
    assert not multiprocessing.active_children()
    assert dict(os.environ) == before
    assert sorted(heard) == list(range(WORLD))
    seen = [torch.load(tmp_path / f"{rank}.pt") for rank in range(WORLD)]
    ranks_learn_what_one_process_learns(seen)
    masks_differ_and_gradients_are_those_of_the_whole_batch(seen)
    a_stopped_training_goes_on_to_the_bit(seen)


def ranks_learn_what_one_process_learns(seen: list[dict[str, Any]]) -> None:
    weights, record = ranks.trained(0)
    for name, weight in weights.items():
        assert torch.equal(seen[0]["none"][name], seen[1]["none"][name])
        torch.testing.assert_close(seen[0]["none"][name], weight, rtol=1e-4, atol=1e-5)
    for told in seen:
        for found, epoch in zip(told["losses"], record.epochs, strict=True):
            assert found["train_loss"] == pytest.approx(epoch.train_loss, rel=1e-4)
            assert found["test_loss"] == pytest.approx(epoch.test_loss, rel=1e-4)
            assert (37 * found["test_accuracy"]) == pytest.approx(round(37 * found["test_accuracy"]))


def masks_differ_and_gradients_are_those_of_the_whole_batch(seen: list[dict[str, Any]]) -> None:
    masks: list[Tensor] = [mask for told in seen for mask, _, _ in told["steps"]]
    assert [len(mask) for mask in masks] == [3, 3, 2, 2]
    for index, mask in enumerate(masks):
        assert mask.any()
        assert not any(torch.equal(mask[:2], other[:2]) for other in masks[index + 1 :])
    for step in range(2):
        (_, first, averaged), (_, second, again) = (told["steps"][step] for told in seen)
        assert len(averaged) == len(first)  # the strengths of the inserted layer are among them
        for one, other, both, same in zip(first, second, averaged, again, strict=True):
            assert torch.equal(both, same)
            torch.testing.assert_close(both, 3 / 5 * one + 2 / 5 * other)


def a_stopped_training_goes_on_to_the_bit(seen: list[dict[str, Any]]) -> None:
    for told in seen:
        assert told["epochs"] == 2
        for name, weight in told["dropout"].items():
            assert torch.equal(told["resumed"][name], weight)


@POSIX
@pytest.mark.usefixtures("lean")
def test_a_rank_that_is_killed_ends_the_others_and_is_no_fault_of_the_trial() -> None:
    with pytest.raises(LostError, match=r"^(a process of the trial was lost|the trial's process of rank 1)") as failure:
        together([CPU] * WORLD, ranks.killed, print)
    assert "\n" not in str(failure.value)
    assert is_passing(failure.value)
    assert not multiprocessing.active_children()


HELD = """
import os, time
from pathlib import Path

from torch import nn

HERE = Path(__file__).parent

class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.fc = nn.Linear(channels * size * size, classes)
    def forward(self, x):
        if self.training and "LOCAL_RANK" in os.environ:
            come(os.environ["LOCAL_RANK"], str(os.getpid()))
        return self.fc(x.flatten(1))

def come(rank, process):
    "In a second trial hold a lock as long as the process lives; rank 0 never goes on, and rank 1 waits for it."
    import fcntl
    first, lock = HERE / f"first {rank}", HERE / f"lock {rank}"
    if not first.exists():
        first.write_text(process)
    if first.read_text() == process or lock.exists():
        return
    fcntl.flock(os.open(lock, os.O_WRONLY | os.O_CREAT), fcntl.LOCK_EX)
    (HERE / f"here {rank}").touch()
    while rank == "0":
        time.sleep(0.01)
"""
TRIALS = """
name = "held"
device = "cpu"
devices_per_trial = 2
seeds = 2
data = { train_limit = 99, test_limit = 37 }
model = { name = "held_module:Net" }
training = { epochs = 1, batch_size = 50 }
evaluation = { batch_size = 10, noise = { gaussian = [0.3] }, attacks = [{ name = "fgsm", eps = [0.05] }] }
arms = [{ method = "none" }]
"""


@POSIX
@pytest.mark.usefixtures("lean")
def test_a_trial_has_the_figures_of_one_process_and_leaves_no_process_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_module: Callable[[str, str], ModuleType]
) -> None:
    make_module("held_module", HELD)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ["PYTHONPATH"])))
    file, out = tmp_path / "held.toml", tmp_path / "out"
    file.write_text(TRIALS, encoding="utf-8")
    with started("compare", file, "--out", out, "--jobs", 1) as process:
        for rank in range(WORLD):
            wait_for((tmp_path / f"here {rank}").exists, process)
        process.kill()
        for rank in range(WORLD):
            assert is_let_go(tmp_path / f"lock {rank}")
    assert not (out / OUTPUT).exists() or not (out / OUTPUT).read_text(encoding="utf-8")
    study = well_formed(read_study(file), "held")
    (finished,) = take_stock(out, study).finished
    figures = {(row.measure, row.level, row.of): row.value for row in finished.rows}
    for row in run_trial(study.model_copy(update={"devices_per_trial": 1}), study.arms[0], 0):
        value = figures[row.measure, row.level, row.of]
        if row.measure in ("clean", "test_accuracy", "gaussian", "fgsm", "worst") and not row.of:
            assert value * 37 == pytest.approx(round(value * 37))  # each image once
            assert value == pytest.approx(row.value, abs=1.01 / 37)  # one may lie where roundings decide
        elif row.measure.endswith("_loss"):
            assert value == pytest.approx(row.value, rel=1e-4)
