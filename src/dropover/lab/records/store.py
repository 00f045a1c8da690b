"""Results on disk: one file a trial, with a checksum, and the long table made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.devices import circumstances
from dropover.lab.digests import of_plain
from dropover.lab.machine import machine, versions
from dropover.lab.records.again import EarlierTrial
from dropover.lab.records.checked import Reader, read_checked, write_checked
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


def circumstances_here(study: Study) -> dict[str, Any]:
    """What is stated with a trial's results about the machine that it ran on, as far as that is this one."""
    return {**versions(), **machine(), **circumstances(study.device, study.precision)}


def write_trial(
    folder: Path,
    study: Study,
    trial: TrialKey,
    rows: Sequence[Row],
    seconds: float,
    ran_in: Mapping[str, Any] | None = None,
) -> Finished:
    """Write a finished trial to its file and return it. It ran on this machine, or `ran_in` these circumstances."""
    finished = Finished(trial, rows, seconds, ran_in or circumstances_here(study))
    content = {
        **identity(study, trial),
        "seconds": round(seconds, 3),
        "circumstances": finished.circumstances,
        "rows": [list(vars(row).values()) for row in rows],
    }
    write_checked(trial.path(folder), content)
    return finished


def identity(study: Study, trial: TrialKey) -> dict[str, Any]:
    """Which trial a file is of: by what its results are determined by, and how it is called."""
    return {
        "study": study.name,
        "arm": trial.arm.label,
        "seed": trial.seed,
        "data": study.data.model_dump(mode="json"),
        "ingredients": trial.ingredients,
    }


def read_trial(folder: Path, trial: TrialKey, read: Reader = read_checked) -> Finished | None:
    """The finished trial on disk, or None if there is none.

    Raises:
        DamagedError: its file is not what was written.
    """
    content = of_trial(trial, trial.path(folder), read)
    if content is None:
        return None
    rows = [Row(*columns) for columns in content["rows"]]
    return Finished(trial, rows, content["seconds"], content["circumstances"])


def of_trial(trial: TrialKey, path: Path, read: Reader = read_checked) -> Mapping[str, Any] | None:
    """The content of a file that should be a trial's; None if there is none.

    Raises:
        DamagedError: it is not what was written, or another trial's.
    """
    content = read(path)
    if content is not None and of_plain(content["ingredients"]) != trial.fingerprint:
        raise DamagedError("is another trial's")
    return content


def earlier_trials(folder: Path, read: Reader = read_checked) -> tuple[list[EarlierTrial], list[str]]:
    """The trials of a folder, of whatever study and ingredients, and the files that can't be told."""
    earlier, strange = [], []
    for path in sorted((folder / "trials").glob("*.json")):
        try:
            content = read(path)
            if content is not None:
                of_file = {key: content[key] for key in ("study", "arm", "seed", "data", "ingredients")}
                earlier.append(EarlierTrial(**of_file, written=path.stat().st_mtime))
        except (DamagedError, OSError, KeyError):
            strange.append(path.name)
    return earlier, strange


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
