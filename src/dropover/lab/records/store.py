"""Results on disk: one file a trial, with a checksum, and the long table made from them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.digests import of_plain
from dropover.lab.machine import machine, versions
from dropover.lab.records.again import Known
from dropover.lab.records.files import DamagedError, write_text
from dropover.lab.records.fingerprints import Ingredients, fingerprint, trial_ingredients
from dropover.lab.records.rows import Row
from dropover.lab.study import Arm, Study

_KNOWN = ("study", "arm", "seed", "data", "ingredients")
COLUMNS = ["arm", "seed", *(column.name for column in fields(Row))]


@dataclass(frozen=True)
class Trial:
    """One arm with one seed: the unit of work, and of what a rerun takes over.

    Attributes:
        arm: The arm.
        seed: The seed.
        ingredients: What its results are determined by.
    """

    arm: Arm
    seed: int
    ingredients: Ingredients = field(compare=False, repr=False)

    @property
    def label(self) -> str:
        """How the trial is called in messages."""
        return f"{self.arm.label}, seed {self.seed}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of its ingredients: trials that have the same have the same results, whatever they are called."""
        return fingerprint(self.ingredients)

    def path(self, folder: Path) -> Path:
        """Its file below the results' folder. The name of the arm has no part in it, so that it may be changed."""
        method = re.sub(r"[^a-z0-9]+", "-", self.arm.method.lower()).strip("-")[:60] or "arm"
        return folder / "trials" / f"{method}-{self.seed}-{self.fingerprint[:16]}.json"


@dataclass(frozen=True)
class Finished:
    """A trial's results and where they come from."""

    trial: Trial
    rows: Sequence[Row]
    seconds: float
    circumstances: Mapping[str, Any]


def trials_of(study: Study) -> list[Trial]:
    """Every arm × seed, seed by seed, so that a run that stops early has whole pairs.

    Raises:
        ValueError: the images or the user's code can't be had.
    """
    return [Trial(arm, seed, trial_ingredients(study, arm, seed)) for seed in study.seeds for arm in study.arms]


def write_trial(folder: Path, study: Study, trial: Trial, rows: Sequence[Row], seconds: float) -> Finished:
    """Write a finished trial to its file and return it."""
    finished = Finished(trial, rows, seconds, {**versions(), **machine()})
    content = {
        "study": study.name,
        "arm": trial.arm.label,
        "seed": trial.seed,
        "data": study.data.model_dump(mode="json"),
        "ingredients": trial.ingredients,
        "seconds": round(seconds, 3),
        "circumstances": finished.circumstances,
        "rows": [list(vars(row).values()) for row in rows],
    }
    write_text(trial.path(folder), json.dumps({**content, "checksum": of_plain(content)}, indent=1))
    return finished


def read_trial(folder: Path, trial: Trial) -> Finished | None:
    """The finished trial on disk, or None if there is none.

    Raises:
        DamagedError: its file is not what was written.
    """
    content = _content(trial.path(folder))
    if content is None:
        return None
    if fingerprint(content["ingredients"]) != trial.fingerprint:
        raise DamagedError("is another trial's")
    rows = [Row(*columns) for columns in content["rows"]]
    return Finished(trial, rows, content["seconds"], content["circumstances"])


def as_twin(finished: Finished, twin: Trial) -> Finished:
    """The same results for a trial of the same settings; it took no time of its own."""
    return replace(finished, trial=twin, seconds=0.0)


def known_trials(folder: Path) -> tuple[list[Known], list[str]]:
    """The trials of a folder, of whatever study and ingredients, and the files that can't be told."""
    known, strange = [], []
    for path in sorted((folder / "trials").glob("*.json")):
        try:
            content = _content(path)
            if content is not None:
                study, arm, seed, data, ingredients = (content[key] for key in _KNOWN)
                known.append(Known(study, arm, seed, data, ingredients, path.stat().st_mtime))
        except (DamagedError, OSError, KeyError):
            strange.append(path.name)
    return known, strange


def _content(path: Path) -> dict[str, Any] | None:
    """A trial's file; None where there is none.

    Raises:
        DamagedError: it is not what was written.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise DamagedError("can't be read") from None
    if not isinstance(content, dict) or content.pop("checksum", None) != of_plain(content):
        raise DamagedError("was changed since it was written")
    return content


def table_of(finished: Sequence[Finished], study: Study) -> pd.DataFrame:
    """The long table, the columns of `Row` after arm and seed, in the study's order of seeds and arms."""
    place = {(arm.label, seed): i for i, (seed, arm) in enumerate((s, a) for s in study.seeds for a in study.arms)}
    ordered = sorted(finished, key=lambda done: place[done.trial.arm.label, done.trial.seed])
    rows = [(done.trial.arm.label, done.trial.seed, *vars(row).values()) for done in ordered for row in done.rows]
    numbers = {"seed": "int64", **dict.fromkeys(("level", "value", "inference_rate"), "float64")}
    return pd.DataFrame(rows, columns=COLUMNS).astype(numbers)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the long table as CSV; what a measure doesn't have, such as a level, is an empty field."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
