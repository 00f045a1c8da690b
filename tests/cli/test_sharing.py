"""Two commands on one folder: each trial is run by one of them, and both end with all."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from ..commands import POSIX, SECONDS, started, wait_for

MODULE = """
import os, time
from pathlib import Path

from torch import nn

HERE = Path(__file__).parent

def train(trial):
    trial.regularize(nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2)))
    first = not (HERE / "calls").exists()
    with (HERE / "calls").open("a") as calls:
        calls.write(f"{trial.arm}, seed {trial.seed}\\n")
    while first and not (HERE / "go").exists():
        time.sleep(0.05)
    return {"accuracy": 0.5 + 0.1 * trial.seed}
"""
STUDY = """
name = "shared"
reference = "none"
trial = { function = "trains_slowly:train" }
arms = [{ name = "none", method = "none" }, { name = "dropout", method = "dropout", p = 0.5 }]
"""


@POSIX
@pytest.mark.parametrize("killed", [False, True], ids=["the first ends its trial", "the first is killed in its trial"])
def test_each_trial_is_run_by_one_of_two_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool):
    monkeypatch.chdir(tmp_path)
    Path("trains_slowly.py").write_text(MODULE, encoding="utf-8")
    Path("study.toml").write_text(STUDY, encoding="utf-8")
    command = ("compare", "study.toml", "--jobs", 1, "--out", "out")
    with started(*command) as first:
        wait_for(lambda: len(calls()) == 1)
        with started(*command) as second:
            wait_for(lambda: len(calls()) == 6)
            assert second.poll() is None  # it waits for the first's trial
            if killed:
                os.killpg(first.pid, signal.SIGKILL)
            else:
                Path("go").touch()
            out, err = second.communicate(timeout=SECONDS)
        assert (second.returncode, err) == (0, "")
        assert f"Shared with process {first.pid} on " in out
        _, err = first.communicate(timeout=SECONDS)
        assert (first.returncode, err) == ((-signal.SIGKILL, "") if killed else (0, ""))
    assert len(set(calls())) == 6
    assert len(calls()) == 6 + killed
    table = pd.read_csv("out/results.csv")
    assert len(table[table["measure"] == "accuracy"]) == 6
    assert "accuracy" in Path("out/report.html").read_text(encoding="utf-8")


def calls() -> list[str]:
    path = Path("calls")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
