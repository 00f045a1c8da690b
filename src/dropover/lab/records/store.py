"""Results on disk: one file a trial, with a checksum, and the long table made from them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.devices import circumstances
from dropover.lab.digests import of_plain
from dropover.lab.machine import machine, versions
from dropover.lab.records.again import EarlierTrial
from dropover.lab.records.files import DamagedError, write_text
from dropover.lab.records.rows import Row
from dropover.lab.records.trials import TrialKey
from dropover.lab.study import Study

COLUMNS = ["arm", "seed", *(column.name for column in fields(Row))]


@dataclass(frozen=True)
class Finished:
    """A trial's results and where they come from."""

    trial: TrialKey
    rows: Sequence[Row]
    seconds: float
    circumstances: Mapping[str, Any]


def write_trial(folder: Path, study: Study, trial: TrialKey, rows: Sequence[Row], seconds: float) -> Finished:
    """Write a finished trial to its file and return it."""
    here = {**versions(), **machine(), **circumstances(study.device, study.precision)}
    finished = Finished(trial, rows, seconds, here)
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


def read_trial(folder: Path, trial: TrialKey) -> Finished | None:
    """The finished trial on disk, or None if there is none.

    Raises:
        DamagedError: its file is not what was written.
    """
    content = _content(trial.path(folder))
    if content is None:
        return None
    if of_plain(content["ingredients"]) != trial.fingerprint:
        raise DamagedError("is another trial's")
    rows = [Row(*columns) for columns in content["rows"]]
    return Finished(trial, rows, content["seconds"], content["circumstances"])


def earlier_trials(folder: Path) -> tuple[list[EarlierTrial], list[str]]:
    """The trials of a folder, of whatever study and ingredients, and the files that can't be told."""
    earlier, strange = [], []
    for path in sorted((folder / "trials").glob("*.json")):
        try:
            content = _content(path)
            if content is not None:
                of_file = {key: content[key] for key in ("study", "arm", "seed", "data", "ingredients")}
                earlier.append(EarlierTrial(**of_file, written=path.stat().st_mtime))
        except (DamagedError, OSError, KeyError):
            strange.append(path.name)
    return earlier, strange


def _content(path: Path) -> dict[str, Any] | None:
    """A trial's file; None where there is none. `DamagedError` if it is not what was written."""
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
