"""The lowest versions: one for every requirement, and those of pyproject.toml."""

import subprocess
import sys

import pytest

from . import lowest


def test_every_requirement_of_core_and_extras_is_held_to_its_lowest() -> None:
    none: dict[str, list[str]] = {name: [] for name in lowest.USERS}
    extras = {**none, "lab": ["numpy>=1.26", "tomli-w>=1.0"], "fast": ["numba>=0.61"], "dev": ["pytest>=8"]}
    project = {"dependencies": ["torch>=2.6"], "optional-dependencies": extras}
    assert lowest.lowest(project) == ["torch==2.6", "numpy==1.26", "tomli-w==1.0", "numba==0.61"]


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=1.26,<3", "numpy>=1.26; python_version<'3.13'"])
def test_a_requirement_without_one_lowest_version_is_refused(requirement: str) -> None:
    project = {"dependencies": [requirement], "optional-dependencies": {name: [] for name in lowest.USERS}}
    with pytest.raises(ValueError, match=r"must read name>=version, got .numpy"):
        lowest.lowest(project)


def test_the_script_prints_them_for_the_project() -> None:
    printed = subprocess.run(  # noqa: S603
        [sys.executable, lowest.__file__], capture_output=True, text=True, check=True
    ).stdout
    assert printed.startswith("torch==")
    assert "\nnumba==" in printed
