"""Nothing in the lab mixes a device with the CPU: shown on a device that is none, in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.planted import PLANTED
from torch.utils import backend_registration

ROOT = Path(__file__).parents[1]


def run(module: str, *arguments: str) -> str:
    if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch has no devices that are written in Python")
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_all_that_the_lab_computes_is_the_same_on_a_device() -> None:
    said = run("tests.on_device", "stand-in")
    assert said.endswith("everything agrees\n")
    assert "FAILED" not in said


@pytest.mark.long
def test_what_is_misplaced_is_seen() -> None:
    lines = run("tests.planted").splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(PLANTED)
    assert not [line for line in lines if "not seen" in line]
    assert sum("MisplacedError" in line for line in lines) == len(PLANTED) - 2  # two misplace no tensor
