"""`--device` and `--precision`, by the real commands. There is no GPU in these tests, see `tests/conftest.py`."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dropover.cli import app

COMMANDS = {
    "compare": ("compare",),
    "reproduce": ("reproduce", "fdd-table2", "--scale", "smoke"),
    "inspect": ("inspect", "small-cnn", "--data", "mnist-5k"),
}
STUDY = """
name = "tiny"
seeds = [0]
data = { train_limit = 60, test_limit = 40 }
model = { name = "small-cnn", width = 0.1 }
training = { epochs = 1 }
arms = [{ method = "none" }, { method = "fdd1d" }]
"""


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_one_line(command: str, word: str, here: Path) -> None:
    code, out, err = run(*COMMANDS[command], "--device", word)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert "device: this machine has no CUDA device that torch " in err
    assert err.endswith(f"can use; it has cpu, and auto takes the fastest, got '{word}'\n")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_words_that_mean_nothing(command: str) -> None:
    code, out, err = run(*COMMANDS[command], "--device", "gpu")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.endswith("device: must be auto, cpu, cuda, one of several such as cuda:1, or mps, got 'gpu'\n")
    code, _, err = run(*COMMANDS[command], "--precision", "fp16")
    assert code == 2
    assert "'fp16' is not one of 'fp32', 'bf16'" in err


def test_a_shell_gets_the_line_and_the_code() -> None:
    code = "from dropover.cli import main; main()"
    answer = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", code, "compare", "--device", "mps:0"], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)


def test_options_replace_what_the_file_says_and_decide_results(here: Path) -> None:
    study, results = here / "tiny.toml", here / "out"
    study.write_text(f'device = "cuda"\nprecision = "fp32"\n{STUDY}', encoding="utf-8")
    code, _, err = run("compare", study, "--out", results)
    assert code == 2
    assert "tiny.toml: device: this machine has no CUDA device" in err
    code, out, err = run("compare", study, "--out", results, "--jobs", 1, "--device", "cpu", "--precision", "bf16")
    assert (code, err) == (0, "")
    written = tomllib.loads((results / "study.toml").read_text(encoding="utf-8"))
    assert (written["device"], written["precision"]) == ("cpu", "bf16")
    assert (written["circumstances"]["device"], written["circumstances"]["precision"]) == ("cpu", "bf16")
    assert not (results / "output.txt").exists()
    mixed = pd.read_csv(results / "results.csv")
    code, out, _ = run("compare", study, "--out", results, "--jobs", 1, "--device", "auto")
    assert code == 0
    assert "precision bf16 -> fp32; 2 trials run again" in out
    full = pd.read_csv(results / "results.csv")
    assert not mixed[mixed.measure == "train_loss"].equals(full[full.measure == "train_loss"])
    code, out, _ = run("compare", results / "study.toml", "--out", results, "--jobs", 1, "--precision", "bf16")
    assert code == 0
    assert "2 of 2 trials were finished by an earlier run" in out
    assert pd.read_csv(results / "results.csv").equals(mixed)
