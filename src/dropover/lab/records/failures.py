"""Trials that came to nothing: each has a file beside those of the finished ones, with its reason."""

from pathlib import Path

from dropover.lab.records.checked import Reader, read_checked, write_checked
from dropover.lab.records.store import identity, of_trial
from dropover.lab.records.trials import TrialKey
from dropover.lab.study import Study

SUFFIX = ".failed.json"


def failure_path(folder: Path, trial: TrialKey) -> Path:
    """Its file below the results' folder, named after what determines the trial: another trial hasn't failed yet."""
    return trial.path(folder).with_suffix(SUFFIX)


def write_failure(folder: Path, study: Study, trial: TrialKey, reason: str) -> None:
    """Keep that a trial failed, and why, in one line."""
    write_checked(failure_path(folder, trial), {**identity(study, trial), "failed": reason})


def read_failure(folder: Path, trial: TrialKey, read: Reader = read_checked) -> str | None:
    """Why a trial failed; None if nothing is kept of that.

    Raises:
        DamagedError: its file is not what was written.
    """
    content = of_trial(trial, failure_path(folder, trial), read)
    return None if content is None else str(content["failed"])


def forget_failure(folder: Path, trial: TrialKey) -> None:
    """Have the trial be one that never failed."""
    failure_path(folder, trial).unlink(missing_ok=True)
