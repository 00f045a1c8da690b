"""A disk that is full, or takes nothing: a line, exit code 2, and what was finished stays and is taken over."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ..commands import SECONDS

MODULE = """
def train(trial):
    for step in range(2000 * (trial.seed > 0)):
        trial.log(step, loss=1 / (step + 3))
    return {"accuracy": 0.5 + trial.seed / 100}
"""
STUDY = """
name = "own"
seeds = 5
[trial]
function = "logging_training:train"
[[arms]]
method = "none"
"""
LIMITED = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (50_000, r.RLIM_INFINITY)); "
MAIN = "from dropover.cli import main; main()"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "logging_training.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603, S607 - our own


@pytest.fixture
def disk(here: Path) -> Iterator[Path]:
    """A disk of 300 kB, which holds the results of less than three trials."""
    folder = here / "disk"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=300k", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a system that mounts a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - our own


def compare(out: Path, *arguments: str, before: str = "") -> tuple[int, str, str]:
    command = [
        sys.executable,
        "-c",
        before + MAIN,
        "compare",
        "study.toml",
        "--jobs",
        "1",
        "--out",
        str(out),
        *arguments,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - our own
    return ran.returncode, ran.stdout, ran.stderr


def told(out: Path, ran: tuple[int, str, str], reason: str) -> None:
    """It ended in a line about one of its files, and left no other."""
    code, _, err = ran
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith(f"{out}/")
    assert err.endswith(f": can't be written ({reason})\n")
    assert [path.name for path in out.rglob(".*")] == []


def goes_on(out: Path, *arguments: str, trials: int) -> None:
    finished = len(list((out / "trials").glob("*.json")))
    assert 0 < finished < trials
    code, printed, err = compare(out, *arguments)
    assert (code, err) == (0, "")
    assert f"{finished} of {trials} trials were finished by an earlier run and are taken over." in printed.splitlines()
    assert set(pd.read_csv(out / "results.csv")["seed"]) == set(range(trials))


def test_a_full_disk(disk: Path):
    told(disk, compare(disk), "No space left on device")
    mount("-o", "remount,size=50m", disk)
    goes_on(disk, trials=5)


def test_a_disk_that_became_read_only(disk: Path):
    assert compare(disk, "--seeds", "1")[0] == 0
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    mount("-o", "remount,ro", disk)
    told(disk, compare(disk, "--seeds", "2"), "Read-only file system")
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before
    mount("-o", "remount,rw,size=50m", disk)
    goes_on(disk, "--seeds", "2", trials=2)


def test_a_file_that_may_not_grow(here: Path):
    pytest.importorskip("resource")
    told(here / "out", compare(here / "out", before=LIMITED), "File too large")
    goes_on(here / "out", trials=5)
