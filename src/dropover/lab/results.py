"""Results on disk: one file a trial, written whole or not at all, and the long table made from them."""

import json
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.fingerprints import trial_fingerprint
from dropover.lab.machine import machine, versions
from dropover.lab.rows import Row
from dropover.lab.study import Arm, Study

COLUMNS = ["arm", "seed", "measure", "level", "value"]


@dataclass(frozen=True)
class Trial:
    """One arm with one seed: the unit of work, and of what a rerun takes over."""

    arm: Arm
    seed: int
    fingerprint: str

    @property
    def label(self) -> str:
        """How the trial is called in messages."""
        return f"{self.arm.label}, seed {self.seed}"

    def path(self, folder: Path) -> Path:
        """Its file below the results' folder. The fingerprint in the name keeps trials of other settings apart."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.arm.label.lower()).strip("-")[:60] or "arm"
        return folder / "trials" / f"{slug}-{self.seed}-{self.fingerprint[:8]}.json"


@dataclass(frozen=True)
class Finished:
    """A trial's results and where they come from."""

    trial: Trial
    rows: Sequence[Row]
    seconds: float
    circumstances: Mapping[str, Any]


def trials_of(study: Study) -> list[Trial]:
    """Every arm × seed, seed by seed, so that a run that stops early has whole pairs."""
    return [Trial(arm, seed, trial_fingerprint(study, arm, seed)) for seed in study.seeds for arm in study.arms]


def write_trial(folder: Path, trial: Trial, rows: Sequence[Row], seconds: float) -> Finished:
    """Write a finished trial to its file and return it."""
    finished = Finished(trial, rows, seconds, {**versions(), **machine()})
    content = {
        "arm": trial.arm.label,
        "seed": trial.seed,
        "fingerprint": trial.fingerprint,
        "seconds": round(seconds, 3),
        "circumstances": finished.circumstances,
        "rows": [[row.measure, row.level, row.value] for row in rows],
    }
    write_text(trial.path(folder), json.dumps(content, indent=1))
    return finished


def read_trial(folder: Path, trial: Trial) -> Finished | None:
    """The finished trial on disk, or None if there is none that fits; a file that can't be read doesn't fit."""
    try:
        content = json.loads(trial.path(folder).read_text(encoding="utf-8"))
        if content["fingerprint"] != trial.fingerprint:
            return None
        rows = [Row(measure, level, value) for measure, level, value in content["rows"]]
        return Finished(trial, rows, content["seconds"], content["circumstances"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def table_of(finished: Sequence[Finished], study: Study) -> pd.DataFrame:
    """The long table (arm, seed, measure, level, value), in the study's order of seeds and arms."""
    place = {(arm.label, seed): i for i, (seed, arm) in enumerate((s, a) for s in study.seeds for a in study.arms)}
    ordered = sorted(finished, key=lambda done: place[done.trial.arm.label, done.trial.seed])
    rows = [
        (done.trial.arm.label, done.trial.seed, row.measure, math.nan if row.level is None else row.level, row.value)
        for done in ordered
        for row in done.rows
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "int64", "level": "float64", "value": "float64"})


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the long table as CSV; a measure without level has an empty field."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader (or a rerun) never meets half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp makes files for the owner's eyes only; results are an ordinary file.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
