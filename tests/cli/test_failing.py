"""What is seen of trials that fail, by whoever runs `dropover compare` again."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.telling.live import RETRY

MODULE = """
from pathlib import Path

def train(trial):
    if trial.arm == "drop" and trial.seed and not Path("mended").exists():
        raise ValueError("no such luck")
    return {"accuracy": 0.5 + trial.seed / 100}
"""
STUDY = """
name = "own"
seeds = 2
[trial]
function = "failing_training:train"
[[arms]]
method = "none"
[[arms]]
name = "drop"
method = "dropout"
p = 0.2
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "failing_training.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "study.toml"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_failed_trial_is_shown_as_failed_until_it_is_tried_again_and_ends(study: str):
    for again in (False, True):
        code, out, err = run("compare", study, "--jobs", "1")
        assert code == 1
        first, last = err.splitlines()
        assert first.startswith("drop, seed 1: ValueError: no such luck (failing_training.py, line 6); traceback in ")
        assert last == "1 of 4 trials failed; the others are in the report."
        told = f"1 trial failed in an earlier run and is not tried again: {RETRY} tries it"
        assert (told in out.splitlines()) == again
        assert ("drop, seed 1: failed: ValueError" in out) != again
        page = Path("results/own/report.html").read_text(encoding="utf-8")
        assert "3 of 4 trials are finished." in page
        assert "Failed: drop, seed 1: ValueError: no such luck" in page
        assert len(Path("results/own/log.txt").read_text(encoding="utf-8").split("--- ")) == 2
    # What mends it lies outside of what a trial is known by.
    Path("mended").touch()
    code, out, err = run("compare", study, "--jobs", "1", "--retry-failed")
    assert (code, err) == (0, "")
    assert "1 trial that failed before runs again" in out.splitlines()
    assert run("compare", study)[0] == 0
