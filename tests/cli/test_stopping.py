"""A run that is stopped keeps what its workers train: not a batch of it is lost, and none is done twice."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from ..commands import POSIX, SECONDS, started, wait_for

MODULE = """
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

HERE = Path(__file__).parent

def step():
    "Count a batch, and take a while for it until the test has stopped a run."
    with (HERE / "steps").open("a") as file:
        file.write(".")
    if not (HERE / "stopped").exists():
        time.sleep(0.05)

class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.fc = nn.Linear(channels * size * size, classes)
        self.drop = nn.Dropout(0.5)
    def forward(self, x):
        if self.training: step()
        return self.fc(self.drop(x.flatten(1)))

def train(trial):
    model = trial.regularize(nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1)))
    optimizer = torch.optim.Adam(model.parameters())
    loader = trial.loader(TensorDataset(torch.arange(1200.0).view(400, 3) / 1200), 1)
    trial.checkpoint(model=model, optimizer=optimizer)
    for _ in trial.track(range(1)):
        for (x,) in loader:
            step()
            loss = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"loss": loss.detach()}
"""
FUNCTION = """
name = "own"
seeds = 1
trial = { function = "stopped_training:train" }
arms = [{ name = "dropout", method = "dropout", p = 0.5 }]
reference = "dropout"
"""
IMAGES = """
name = "own"
seeds = [0]
data = { name = "mnist-5k", train_limit = 400, test_limit = 20 }
model = { name = "stopped_training:Net" }
training = { epochs = 1, batch_size = 1, lr = 0.01 }
arms = [{ name = "dropout", method = "dropout", p = 0.5, at = ["drop"] }]
reference = "dropout"
"""
BATCHES = 400
PATIENT = f"from dropover.lab.running.engines import processes; processes.GRACE = {SECONDS}"
"""A busy machine may take longer for a batch than a user would wait."""


@POSIX
@pytest.mark.parametrize("study", [FUNCTION, IMAGES], ids=["function", "images"])
def test_not_a_batch_is_lost_by_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: str):
    monkeypatch.chdir(tmp_path)
    Path("stopped_training.py").write_text(MODULE, encoding="utf-8")
    Path("study.toml").write_text(study, encoding="utf-8")
    command = ("compare", "study.toml", "--jobs", 1, "--out")
    with started(*command, "out", first=PATIENT) as process:
        wait_for(lambda: steps() >= 5, process)
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 143
    assert err.startswith("Stopped: 0 of 1 trials are finished and kept, and 1 more as far as had been trained. The sa")
    assert err.count("\n") == 1
    assert 5 <= steps() < BATCHES
    Path("stopped").touch()
    assert figures(*command, "out") == figures(*command, "whole")
    assert steps() == 2 * BATCHES


def steps() -> int:
    path = Path("steps")
    return path.stat().st_size if path.exists() else 0


def figures(*command: object) -> dict[str, float]:
    with started(*command) as process:
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    table = pd.read_csv(Path(str(command[-1])) / "results.csv")
    return {row.measure: row.value for row in table.itertuples() if "second" not in row.measure}
