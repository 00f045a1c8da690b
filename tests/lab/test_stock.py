"""What a rerun takes over, what it sets aside, and what it says about it."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dropover.lab.records import again, fingerprints
from dropover.lab.records.rows import Row
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import write_trial
from dropover.lab.records.trials import TrialKey, trials_of
from dropover.lab.running.guard import ChangedError, Guarded
from dropover.lab.study import Study

ROWS = [Row("clean", None, 0.5)]


def study(*arms: dict[str, Any], **changes: Any) -> Study:
    chosen = arms or ({"method": "none"}, {"method": "dropout", "name": "drop", "p": 0.5})
    return Study.model_validate({"name": "s", "seeds": [0, 1], "arms": chosen, "reference": "none", **changes})


def filled(folder: Path, chosen: Study) -> list[TrialKey]:
    for trial in trials_of(chosen):
        write_trial(folder, chosen, trial, ROWS, 1.0)
    return trials_of(chosen)


def labels(trials: Sequence[TrialKey]) -> list[str]:
    return [trial.label for trial in trials]


def test_nothing_is_said_about_what_never_ran_or_is_all_there(tmp_path: Path):
    stock = take_stock(tmp_path, study())
    assert (stock.finished, len(stock.missing), stock.notes) == ([], 4, [])
    filled(tmp_path, study())
    stock = take_stock(tmp_path, study())
    assert (len(stock.finished), stock.missing, stock.notes) == (4, [], [])


def test_arms_that_differ_in_name_alone_are_run_once_and_count_for_both(tmp_path: Path):
    double = study({"method": "none"}, {"method": "none", "name": "again"}, {"method": "none", "name": "and again"})
    stock = take_stock(tmp_path, double)
    assert labels(stock.missing) == ["none, seed 0", "none, seed 1"]
    assert stock.notes == [
        "again has the settings of none: run once, counted for both",
        "and again has the settings of none: run once, counted for both",
    ]
    done = [
        each for trial in stock.missing for each in stock.with_twins(write_trial(tmp_path, double, trial, ROWS, 1.0))
    ]
    back = take_stock(tmp_path, double)
    assert labels([each.trial for each in back.finished]) == labels([each.trial for each in done])
    assert len({each.trial.label for each in back.finished}) == 6
    assert sum(each.seconds for each in back.finished) == 2.0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"training": {"lr": 0.02}}, "training.lr 0.01 -> 0.02; 4 trials run again"),
        ({"model": {"width": 0.5}}, "model.width unset -> 0.5; 4 trials run again"),
        ({"data": {"train_limit": 50}}, "data.train_limit unset -> 50; 4 trials run again"),
        (
            {"training": {"epochs": 1, "lr": 0.02}, "data": {"train_limit": 50}},
            "training.epochs 6 -> 1, training.lr 0.01 -> 0.02, data.train_limit unset -> 50; 4 trials run again",
        ),
        (
            {"evaluation": {"attacks": [{"name": "pgd", "eps": [0.1]}]}},
            "evaluation.attacks [] -> [pgd]; 4 trials run again",
        ),
        (
            {"arms": [{"method": "none"}, {"method": "dropout", "name": "drop", "p": 0.3, "at": ["fc"]}]},
            "drop: at unset -> [fc], p 0.5 -> 0.3; 2 trials run again",
        ),
    ],
)
def test_the_reason_is_said_in_the_words_of_the_study_file(tmp_path: Path, changes: dict[str, Any], line: str):
    filled(tmp_path, study())
    assert take_stock(tmp_path, study(**changes)).notes == [line]


def test_tables_in_lists_are_told_by_their_place(tmp_path: Path):
    def attacked(eps: list[float]) -> Study:
        attacks = [{"name": "fgsm", "eps": [0.1]}, {"name": "pgd", "eps": eps}]
        return study(evaluation={"attacks": attacks})

    filled(tmp_path, attacked([0.1]))
    assert take_stock(tmp_path, attacked([0.1, 0.2])).notes == [
        "evaluation.attacks[1].eps [0.1] -> [0.1, 0.2]; 4 trials run again"
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": "other"}, "the images changed"),
        ({"code": "other"}, "dropover's own code changed"),
        ({"versions": {"torch": "2.6.0"}}, "torch 2.5.0 -> 2.6.0"),
        ({"computed": {"device": "cuda", "precision": "bf16"}}, "device cpu -> cuda, precision fp32 -> bf16"),
        ({"versions": {"torch": "2.5.0", "timm": "1.0"}}, "timm unset -> 1.0"),
        ({"user code": {"a.py": "2", "b.py": "1"}}, "a.py was edited"),
        ({"user code": {"a.py": "1", "c.py": "1"}}, "c.py is imported too, b.py is no longer imported"),
        ({"user code": {}}, "a.py is no longer imported, b.py is no longer imported"),
    ],
)
def test_every_other_ingredient_has_its_reason(change: dict[str, Any], reason: str):
    before = {"data": "d", "user code": {"a.py": "1", "b.py": "1"}, "code": "c", "versions": {"torch": "2.5.0"}}
    assert again.changes(before, before) == []
    assert ", ".join(again.changes(before, {**before, **change})) == reason


def test_a_trial_is_held_against_the_one_that_it_has_most_in_common_with(tmp_path: Path):
    filled(tmp_path, study(training={"lr": 0.02, "epochs": 2}))
    filled(tmp_path, study(training={"lr": 0.03}))
    filled(tmp_path, study(name="another", training={"epochs": 6, "lr": 0.01}, model={"width": 0.5}))
    assert take_stock(tmp_path, study()).notes == ["training.lr 0.03 -> 0.01; 4 trials run again"]
    # Of equals, the last.
    for age, path in enumerate(sorted((tmp_path / "trials").iterdir())):
        os.utime(path, (age, age))
    for trial in filled(tmp_path, study(training={"lr": 0.04})):
        os.utime(trial.path(tmp_path), (1e6, 1e6))
    assert take_stock(tmp_path, study()).notes == ["training.lr 0.04 -> 0.01; 4 trials run again"]


def test_no_file_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def counted(path: Path) -> bytes:
        opened.append(path.name)
        return read(path)

    opened, read = list[str](), Path.read_bytes
    kept = filled(tmp_path, study())
    filled(tmp_path, study(training={"lr": 0.02}))
    kept[0].path(tmp_path).unlink()
    monkeypatch.setattr(Path, "read_bytes", counted)
    stock = take_stock(tmp_path, study())
    assert (len(stock.finished), stock.notes) == (3, ["none: training.lr 0.02 -> 0.01; 1 trial runs again"])
    there = [path.name for path in (tmp_path / "trials").iterdir()]
    assert sorted(name for name in opened if name in there) == sorted(there)


def test_a_renamed_arm_keeps_its_trials_and_one_of_another_study_is_no_reason(tmp_path: Path):
    filled(tmp_path, study(name="another", training={"lr": 0.02}))
    assert take_stock(tmp_path, study()).notes == []
    filled(tmp_path, study())
    renamed = study({"method": "none"}, {"method": "dropout", "name": "other", "p": 0.5})
    assert len(take_stock(tmp_path, renamed).finished) == 4


def test_many_changes_and_arms_are_counted():
    files = {f"{letter}.py": "1" for letter in "abcdef"}
    before = {"data": "d", "user code": files, "code": "c", "versions": {}}
    found = again.changes(before, {**before, "user code": dict.fromkeys(files, "2")})
    assert again.listed(found).endswith("d.py was edited and 2 more")


Damage = Callable[[Path], object]


def _value(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["rows"][0][2] = 0.999
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_value, "was changed since it was written"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "can't be read"),
        (lambda path: path.write_bytes(b""), "can't be read"),
    ],
)
def test_a_damaged_file_is_named_set_aside_and_run_again(tmp_path: Path, damage: Damage, says: str):
    filled(tmp_path, study(training={"lr": 0.02}))  # which is not why it runs again
    path = filled(tmp_path, study())[3].path(tmp_path)
    damage(path)
    content = path.read_bytes()
    stock = take_stock(tmp_path, study())
    assert stock.notes == [f"{path} {says}: set aside as {path.name}.damaged; drop, seed 1 runs again"]
    assert labels(stock.missing) == ["drop, seed 1"]
    assert path.with_name(f"{path.name}.damaged").read_bytes() == content


def test_files_of_an_older_format_are_named_and_left_alone(tmp_path: Path):
    (tmp_path / "trials").mkdir()
    old = tmp_path / "trials" / "none-0-0123abcd.json"
    old.write_text('{"arm": "none", "seed": 0, "fingerprint": "0123abcd", "rows": []}', encoding="utf-8")
    assert take_stock(tmp_path, study()).notes == [
        f"not taken over from {tmp_path / 'trials'}, damaged or of an older format: none-0-0123abcd.json"
    ]
    assert old.exists()


def test_a_process_with_other_code_or_images_gives_no_results(tmp_path: Path):
    chosen = study()
    begun_with = fingerprints.surroundings(chosen)

    def run(begun: dict[str, Any], name: str = chosen.data.name) -> Sequence[Row]:
        return Guarded(lambda *_: ROWS, begun)(chosen, chosen.arms[0], 0, lambda _progress: None)

    assert run(begun_with) == ROWS
    with pytest.raises(ChangedError, match=r"^dropover's own code changed after the study had begun; the same command"):
        run({**begun_with, "code": "other"})
    with pytest.raises(ChangedError, match=r"^the images changed after the study had begun"):
        run({**begun_with, "data": "other"})
