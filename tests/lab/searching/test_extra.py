"""Optuna is an extra: without it a search says how to get it, and nothing else of the lab minds."""

import subprocess
import sys

import pytest

from dropover import lab
from dropover.lab import seeking
from dropover.lab.boards import MissingExtraError


def test_without_optuna_a_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r'which is not installed: pip install "dropover\[search\]"'):
        lab.search("study.toml")


def test_the_lab_is_imported_without_it() -> None:
    code = "import sys; sys.modules['optuna'] = None; import dropover.cli, dropover.lab.seeking, dropover.lab.comparing"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own
