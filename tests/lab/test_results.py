import io
import math
from pathlib import Path

import pandas as pd
import pytest

from dropover.lab import fingerprints, results
from dropover.lab.results import (
    Trial,
    read_trial,
    table_of,
    trials_of,
    write_table,
    write_text,
    write_trial,
)
from dropover.lab.rows import Row
from dropover.lab.study import Arm, DataSettings, Study, TrainingSettings

STUDY = Study(seeds=[3, 1], arms=[Arm(method="none"), Arm(method="dropout", name="Drop / out!", p=0.5)])
ROWS = [Row("clean", None, 0.1 + 0.2), Row("fgsm", 0.1, 1 / 3), Row("fgsm (of correct)", 0.1, math.nan)]


def only(study: Study = STUDY) -> Trial:
    return trials_of(study)[0]


def test_trials_come_seed_by_seed():
    assert [trial.label for trial in trials_of(STUDY)] == [
        "none, seed 3", "Drop / out!, seed 3", "none, seed 1", "Drop / out!, seed 1"
    ]  # fmt: skip


def test_a_trial_comes_back_exactly(tmp_path: Path):
    write_trial(tmp_path, only(), ROWS, 1.5)
    back = read_trial(tmp_path, only())
    assert back is not None
    assert list(back.rows[:2]) == ROWS[:2]
    assert math.isnan(back.rows[2].value)
    assert back.circumstances["torch"]


def test_file_names_are_plain_and_never_clash(tmp_path: Path):
    study = Study(
        reference="a b", arms=[Arm(method="none", name=name) for name in ("a b", "a-b", "A B", "…", "../../etc")]
    )
    paths = {trial.path(tmp_path) for trial in trials_of(study)}
    assert len({str(path).lower() for path in paths}) == len(trials_of(study))
    assert {path.parent for path in paths} == {tmp_path / "trials"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"fingerprint": "other"}', '{"rows": 3}'])
def test_a_file_that_is_damaged_or_of_another_trial_is_not_taken_over(tmp_path: Path, content: str):
    write_text(only().path(tmp_path), content)
    assert read_trial(tmp_path, only()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"data": DataSettings(train_limit=100)},
        {"training": TrainingSettings(lr=0.02)},
        {"model": {"name": "small-cnn", "width": 0.5}},
        {"evaluation": {"noise": {"gaussian": [0.1]}}},
    ],
)
def test_what_determines_a_trial_changes_its_fingerprint(changed: dict[str, object]):
    other = Study.model_validate({**STUDY.model_dump(), **changed})
    assert fingerprints.trial_fingerprint(other, other.arms[0], 3) != only().fingerprint


def test_the_arm_and_the_seed_change_the_fingerprint_and_nothing_beside_the_trial_does():
    assert len({trial.fingerprint for trial in trials_of(STUDY)}) == 4
    dressed = {"name": "other", "description": "words", "scale": "paper", "seeds": [3], "circumstances": {"cpu": "x"}}
    other = Study.model_validate({**STUDY.model_dump(), **dressed})
    assert only(other).fingerprint == only().fingerprint


def test_other_versions_or_other_code_change_the_fingerprint(monkeypatch: pytest.MonkeyPatch):
    before = only().fingerprint
    monkeypatch.setattr(fingerprints, "versions", lambda: {"torch": "0"})
    versioned = only().fingerprint
    monkeypatch.setattr(fingerprints, "code", lambda _left_out: "edited")
    assert len({before, versioned, only().fingerprint}) == 3


def test_the_table_is_long_in_the_studys_order_and_exact(tmp_path: Path):
    finished = [write_trial(tmp_path, trial, ROWS, 1.0) for trial in reversed(trials_of(STUDY))]
    write_table(table_of(finished, STUDY), tmp_path / "results.csv")
    text = (tmp_path / "results.csv").read_text(encoding="utf-8")
    assert text.splitlines()[:3] == [
        "arm,seed,measure,level,value",
        f"none,3,clean,,{0.1 + 0.2!r}",
        f"none,3,fgsm,0.1,{1 / 3!r}",
    ]
    assert pd.read_csv(io.StringIO(text))["arm"].unique().tolist() == ["none", "Drop / out!"]


def test_no_results_are_a_table_without_rows():
    assert list(table_of([], STUDY).columns) == results.COLUMNS


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path):
    write_text(tmp_path / "file", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "file", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "old"
