import io
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dropover.lab.records import store as results
from dropover.lab.records.files import DamagedError
from dropover.lab.records.rows import Row
from dropover.lab.records.store import read_trial, table_of, write_table, write_trial
from dropover.lab.records.trials import TrialKey, trials_of
from dropover.lab.study import Arm, Study

STUDY = Study(seeds=[3, 1], arms=[Arm(method="none"), Arm(method="dropout", name="Drop / out!", p=0.5)])
ROWS = [
    Row("clean", None, 0.1 + 0.2),
    Row("fgsm", 0.1, 1 / 3, "linf"),
    Row("fgsm", 0.1, math.nan, "linf", "correct", 0.5),
]


def only(study: Study = STUDY) -> TrialKey:
    return trials_of(study)[0]


def test_trials_come_seed_by_seed():
    assert [trial.label for trial in trials_of(STUDY)] == [
        "none, seed 3", "Drop / out!, seed 3", "none, seed 1", "Drop / out!, seed 1"
    ]  # fmt: skip


def test_a_trial_comes_back_exactly(tmp_path: Path):
    write_trial(tmp_path, STUDY, only(), ROWS, 1.5)
    back = read_trial(tmp_path, only())
    assert back is not None
    assert list(back.rows[:2]) == ROWS[:2]
    assert math.isnan(back.rows[2].value)
    assert replace(back.rows[2], value=0) == replace(ROWS[2], value=0)
    assert back.circumstances["torch"]


def test_a_trials_file_is_named_after_what_it_is_and_not_after_what_it_is_called(tmp_path: Path):
    named = Study(arms=[Arm(method="none", name=name) for name in ("none", "a b", "…", "../../etc")])
    assert len({trial.path(tmp_path) for trial in trials_of(named)}) == len(named.seeds)
    others = Study.model_validate({"reference": "none", "arms": [{"method": "none"}, {"method": "../x", "p": "/"}]})
    paths = {trial.path(tmp_path) for trial in trials_of(others)}
    assert len({str(path).lower() for path in paths}) == len(trials_of(others))
    assert {path.parent for path in paths} == {tmp_path / "trials"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"rows": 3}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_trials_is_refused(tmp_path: Path, content: bytes):
    path = only().path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"^can't be read$|^was changed since it was written$"):
        read_trial(tmp_path, only())


def test_no_change_to_a_byte_is_taken_for_results(tmp_path: Path):
    finished = write_trial(tmp_path, STUDY, only(), ROWS[:2], 1.5)
    path = only().path(tmp_path)
    content = path.read_bytes()
    refused = 0
    for place, old in enumerate(content):
        path.write_bytes(content[:place] + (b"1" if old != ord("1") else b"2") + content[place + 1 :])
        try:
            assert read_trial(tmp_path, only()) == finished
        except DamagedError:
            refused += 1
    # A digit more that leaves the number as it is takes the place of a blank: the results are those that were written.
    assert refused >= sum(not chr(byte).isspace() for byte in content)


def test_a_trials_file_under_the_name_of_another_is_refused(tmp_path: Path):
    first, other = trials_of(STUDY)[:2]
    write_trial(tmp_path, STUDY, first, ROWS, 1.5)
    first.path(tmp_path).rename(other.path(tmp_path))
    with pytest.raises(DamagedError, match="is another trial's"):
        read_trial(tmp_path, other)


def test_the_table_is_long_in_the_studys_order_and_exact(tmp_path: Path):
    finished = [write_trial(tmp_path, STUDY, trial, ROWS, 1.0) for trial in reversed(trials_of(STUDY))]
    write_table(table_of(finished, STUDY), tmp_path / "results.csv")
    text = (tmp_path / "results.csv").read_text(encoding="utf-8")
    assert text.splitlines()[:4] == [
        "arm,seed,measure,level,value,norm,of,inference_rate",
        f"none,3,clean,,{0.1 + 0.2!r},,,",
        f"none,3,fgsm,0.1,{1 / 3!r},linf,,",
        "none,3,fgsm,0.1,,linf,correct,0.5",
    ]
    assert pd.read_csv(io.StringIO(text))["arm"].unique().tolist() == ["none", "Drop / out!"]


def test_no_results_are_a_table_without_rows():
    assert list(table_of([], STUDY).columns) == results.COLUMNS
