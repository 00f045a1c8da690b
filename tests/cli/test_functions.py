"""`dropover compare` with the user's own training function, and scripts that call `lab.compare`, as one runs them."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import SECONDS

MODULE = """
import torch
from torch import nn

def train(trial):
    model = trial.regularize(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    for step in trial.track(range(3)):
        trial.log(step, loss=1 / (step + 1))
    accuracy = 0.5 + trial.seed / 100 + torch.rand(()).item() / 1000
    return {"accuracy": accuracy, "log-loss": 1.0 + trial.settings["shift"]}
"""
STUDY = """
name = "mine"
seeds = 3

[trial]
function = "my_training:train"
shift = 0.25

[measures.log-loss]
margin = 0.1

[[arms]]
method = "none"

[[arms]]
name = "flip"
method = "flipover"
p = 0.2
"""
SCRIPT = """
from dropover import Flipover, lab
from my_training import train

def here(trial):
    return {"accuracy": 0.5 + trial.seed / 100}

if __name__ == "__main__":
    result = lab.compare(here, {"none": None, "flip": Flipover(0.2)}, seeds=2)
    print(result)
    print("taken over:", lab.compare(here, {"none": None, "flip": Flipover(0.2)}, seeds=2, progress=False).run.reused)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "my_training.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def run(here: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, *arguments], cwd=here, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, " ".join(done.stdout.split()), done.stderr


def compare(here: Path, *options: str) -> tuple[int, str, str]:
    return run(here, "-m", "dropover", "compare", "study.toml", *options)


def test_a_study_file_names_a_function(here: Path):
    code, out, err = compare(here, "--jobs", "1")
    assert (code, err) == (0, "")
    assert "Layers go before '2' (Linear)" in out
    assert out.count("Layers go") == 1
    assert "On log-loss:" in out
    assert "log-loss: lower is better, level is within ±0.1" in out
    assert "images" not in out
    again = compare(here, "--jobs", "1")[1]
    assert "6 of 6 trials were finished by an earlier run" in again
    written = (here / "results/mine/study.toml").read_text(encoding="utf-8")
    (here / "study.toml").write_text(written, encoding="utf-8")
    assert "6 of 6 trials were finished by an earlier run" in compare(here)[1]
    (here / "my_training.py").write_text(MODULE.replace("1.0 +", "2.0 +"), encoding="utf-8")
    assert "my_training.py was edited; 6 trials run again" in compare(here, "--jobs", "1")[1]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("my_training:train", "my_training:tain", "trial.function: module 'my_training' has no 'tain'"),
        ("my_training:train", "nowhere:train", "trial.function: there is no module 'nowhere'"),
        ("my_training:train", "train", "trial.function: must be MODULE:FACTORY"),
        ("p = 0.2", "p = 2", "arms[1].p: "),
        ("seeds = 3", "seeds = 3\ndata = {}", "data: has no effect with [trial]"),
        ("margin = 0.1", "margin = -1", "measures.log-loss.margin: "),
        ("margin = 0.1", "lower = true", "unknown key 'measures.log-loss.lower'"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_before_anything_runs(here: Path, old: str, new: str, says: str):
    (here / "study.toml").write_text(STUDY.replace(old, new), encoding="utf-8")
    code, _, err = compare(here)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert not (here / "results").exists()


def test_a_script_with_a_guard_runs_in_several_processes(here: Path):
    code, out, err = run(here, "script.py")
    assert code == 0, err
    assert "On accuracy:" in out
    assert "taken over: 4" in out


def test_a_script_without_a_guard_is_told_what_to_do(here: Path):
    (here / "script.py").write_text(SCRIPT.replace('if __name__ == "__main__":', "if True:"), encoding="utf-8")
    code, _, err = run(here, "script.py")
    assert code != 0
    assert "put the call under `if __name__ == '__main__':`" in err
