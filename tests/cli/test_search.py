"""`dropover search`, the command: killed at any moment it goes on, and what is wrong is said in a line."""

import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dropover.cli import app

from ..commands import POSIX, started, stopped, wait_for

MODULE = """
import time
from pathlib import Path
from random import Random

HERE = Path(__file__).parent

def train(trial):
    p = trial.study.arm(trial.arm).settings.get("p", 0.0)
    if not (HERE / "killed").exists(): time.sleep(0.1)
    while (HERE / "hold").exists() and not (HERE / "killed").exists():
        # From so many calls on all wait for what the test does to them.
        score, most = (HERE / "hold").read_text().split()
        if not (HERE / "calls").exists() or (HERE / "calls").read_text().count(score) < int(most): break
        time.sleep(0.05)
    with (HERE / "calls").open("a") as file:
        file.write(f"{trial.arm}, {trial.seed}, {trial.settings['score']}\\n")
    noise = Random(f"{trial.arm} {trial.seed}").gauss(0, 0.002)
    return {"accuracy": 0.9 - abs(p - 0.3) + noise}
"""
STUDY = """
name = "killed"
[trial]
function = "killed_search:train"
[search]
methods = ["dropout", "flipover"]
objectives = ["accuracy"]
schedules = ["constant"]
trials = 24
seeds = 3
fresh_seeds = 2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the command is called: the study's and its function's, which every process finds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "killed_search.py").write_text(MODULE)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["search", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@POSIX
@pytest.mark.parametrize("after", [2, 9, 19])
def test_a_search_that_is_killed_loses_at_most_the_trials_that_ran(after: int, here: Path) -> None:
    calls = here / "calls"

    def made() -> list[str]:
        return calls.read_text().splitlines() if calls.exists() else []

    with started("search", "study.toml", "--jobs", 2) as process:
        wait_for(lambda: len(made()) >= after, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    (here / "killed").touch()
    code, out, err = run("study.toml", "--jobs", 2)
    assert code == 0, err
    assert "* found by the search." in out
    # At most the two that ran are trained twice.
    assert len(made()) <= len(set(made())) + 2
    assert len([line for line in set(made()) if line.endswith("validation")]) <= 24


@POSIX
@pytest.mark.parametrize(
    ("at", "hold"), [("killed: 2 methods", "validation 0"), ("[5/24]", "validation 6"), ("[3/8]", "test 4")]
)
def test_a_search_that_is_stopped_says_what_is_kept_and_goes_on(at: str, hold: str, here: Path) -> None:
    (here / "hold").write_text(hold)
    code, _, err = stopped(at, "SIGINT", "search", "study.toml", "--jobs", 2)
    assert code == 130
    assert err == (
        "Stopped: what is finished is kept. The same command goes on from there: dropover search study.toml --jobs 2\n"
    )
    (here / "killed").touch()
    code, out, err = run("study.toml", "--jobs", 2)
    assert code == 0, err
    assert "Better than “none” at accuracy: " in out


def test_compare_says_what_to_do_with_a_search(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    result = CliRunner().invoke(app, ["compare", str(tmp_path / "study.toml")])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{tmp_path / 'study.toml'}: search: is for dropover search {tmp_path}")


def test_what_is_wrong_is_said_in_a_line(tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "none.toml")
    assert (code, err) == (2, f"{tmp_path / 'none.toml'}: there is no such study file\n")
    (tmp_path / "study.toml").write_text('name = "x"\n')
    code, _, err = run(tmp_path / "study.toml")
    assert code == 2
    assert err.startswith(f"{tmp_path / 'study.toml'}: search: is missing")


IMAGES = """
name = "bad"
[data]
name = "mnist-5k"
train_limit = 100
validation = 60
test_limit = 60
[model]
name = "small-cnn"
width = 0.1
[evaluation]
attack_images = 20
[[evaluation.attacks]]
name = "pgd"
eps = [0.05, 0.1]
"""


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ("trials = 40\nmethods = []", "search.methods: is empty"),
        ('trials = 40\nmethods = ["fdd2d"]\nplaces = ["fc"]', "search.places: nothing can be placed at 'fc'"),
        ('trials = 40\nranges = { dropout = { p = { low = 0.5, high = 0.1 } } }', "search.ranges.dropout.p: low"),
        ('trials = 40\nranges = { dropout = { p = { low = 0.5, high = 3 } } }', "search.ranges.dropout.p: can't be 3"),
        ('trials = 40\nobjectives = ["worst linf 0.2"]', "search.objectives: no trial measures 'worst linf 0.2'"),
        ('trials = 40\nobjectives = ["worst 0.1", "worst linf 0.1"]', "search.objectives: 'worst linf 0.1' is 'worst"),
        ('trials = 4\nmethods = ["dropout"]', "search.trials: must be at least 12 for one trial of each of 1 methods"),
        ('time = "0s"', "search.time: must be a time above 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_before_anything_runs(search: str, line: str, tmp_path: Path) -> None:
    path, out = tmp_path / "bad.toml", tmp_path / "out"
    path.write_text(f"{IMAGES}[search]\n{search}\n")
    code, said, err = run(path, "--out", out)
    assert code == 2
    assert not said
    assert err.startswith(f"{path}: {line}")
    assert err.count("\n") == 1
    assert not out.exists()
