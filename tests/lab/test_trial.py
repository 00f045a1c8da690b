"""A whole trial on a few real digits: its rows, their relations, and what arms of one seed share."""

import math
from typing import Any

import pytest
import torch

from dropover.insertion.hooks import inserted_in
from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.labels import label
from dropover.lab.records.rows import Row, of_audit
from dropover.lab.running.calling import run_trial
from dropover.lab.running.progress import TrialProgress
from dropover.lab.study import Arm, Study

EPS = [0.0, 0.1]


def study(**changes: Any) -> Study:
    raw: dict[str, Any] = {
        "seeds": 2,
        "data": {"train_limit": 400, "test_limit": 100},
        "model": {"width": 0.25},
        "training": {"epochs": 2, "lr": 0.02, "batch_size": 16},
        "evaluation": {
            "noise": {"gaussian": [0.0, 0.8]},
            "attacks": [{"name": "fgsm", "eps": EPS}, {"name": "pgd-margin", "eps": [0.1], "steps": 3}],
        },
        "arms": [
            {"method": "none"},
            {"method": "dropout", "p": 0.5},
            {"method": "spatial", "p": 0.2},
            {"method": "flipover", "p": 0.2, "eval_p": 0.2},
        ],
    }
    return Study.model_validate({**raw, **changes})


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, float | None], float]:
    chosen = study()
    return as_table(run_trial(chosen, chosen.arms[0], 0))


def as_table(rows: list[Row]) -> dict[tuple[str, float | None], float]:
    table = {
        (
            label(row.measure, row.level, row.norm, row.of, row.inference_rate),
            row.level if row.inference_rate is None else row.inference_rate,
        ): row.value
        for row in rows
    }
    assert len(table) == len(rows)
    return table


def test_rows_are_those_of_the_contract(rows: dict[tuple[str, float | None], float]) -> None:
    curves = [(measure, epoch) for measure in ("train_loss", "test_loss", "test_accuracy") for epoch in (1, 2)]
    attacks = [("fgsm", 0.0), ("fgsm", 0.1), ("pgd-margin", 0.1)]
    audits = {place for place in rows if of_audit(place[0])}
    assert {place for place in audits if place[0] == "audit"} == {("audit", 0.1)}
    assert set(rows) - audits == {
        ("clean", None),
        ("seconds", None),
        ("images_per_second", None),
        ("attacked_per_second", None),
        *curves,
        ("gaussian", 0.0),
        ("gaussian", 0.8),
        *attacks,
        *((f"{name} (of correct)", eps) for name, eps in attacks),
        ("worst", 0.0),
        ("worst", 0.1),
    }
    assert rows["clean", None] > 0.3


def test_nothing_done_to_the_images_gives_the_clean_accuracy_exactly(
    rows: dict[tuple[str, float | None], float],
) -> None:
    clean = rows["clean", None]
    assert rows["gaussian", 0.0] == rows["fgsm", 0.0] == rows["worst", 0.0] == rows["test_accuracy", 2] == clean
    assert rows["fgsm (of correct)", 0.0] == 1.0


def test_attacked_shares_agree_with_one_another(rows: dict[tuple[str, float | None], float]) -> None:
    assert rows["worst", 0.1] <= min(rows["fgsm", 0.1], rows["pgd-margin", 0.1])
    assert rows["fgsm", 0.1] < rows["clean", None]
    assert rows["fgsm (of correct)", 0.1] == pytest.approx(rows["fgsm", 0.1] / rows["clean", None])


def test_a_trial_repeats_to_the_bit() -> None:
    chosen = study()
    for arm in (chosen.arms[1], chosen.arms[3]):
        first, again = (as_table(run_trial(chosen, arm, 1)) for _ in range(2))
        timed = {("seconds", None), ("images_per_second", None), ("attacked_per_second", None)}
        assert {key: first[key] for key in first if key not in timed} == {
            key: again[key] for key in again if key not in timed
        }


def test_arms_of_one_seed_start_from_the_same_weights() -> None:
    chosen = study()
    data = load_data(chosen.data)
    models = [build_model(chosen, arm, 0, data) for arm in chosen.arms]
    for model in models[1:]:
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), models[0].parameters(), strict=True))
    other = build_model(chosen, chosen.arms[0], 1, data)
    assert not torch.equal(next(other.parameters()), next(models[0].parameters()))


def test_a_layer_goes_where_its_method_is_meant_for_or_where_the_arm_says() -> None:
    chosen = study()
    data = load_data(chosen.data)

    def filled(arm: Arm) -> list[str]:
        model = build_model(chosen, arm, 0, data)
        return [hook.position for hook in inserted_in(model)]

    assert filled(Arm(method="none")) == []
    assert filled(Arm(method="dropout")) == ["fc"]
    assert filled(Arm(method="spatial")) == ["last-conv"]
    assert filled(Arm(method="dropout", at=["features", "fc"])) == ["fc", "features"]


def test_progress_rises_to_one_and_names_its_stages() -> None:
    chosen = study()
    reports: list[TrialProgress] = []
    rows = run_trial(chosen, chosen.arms[0], 0, reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == 1
    assert list(dict.fromkeys(report.stage for report in reports)) == [
        "training",
        "noise",
        "fgsm",
        "pgd-margin",
        "audit linf",
        "done",
    ]
    assert reports[-1].accuracy == rows[0].value


def test_attack_images_limits_what_is_attacked() -> None:
    chosen = study(evaluation={"attack_images": 20, "attacks": [{"name": "fgsm", "eps": [0.1]}]})
    rows = as_table(run_trial(chosen, chosen.arms[0], 0))
    assert rows["fgsm", 0.1] * 20 == pytest.approx(round(rows["fgsm", 0.1] * 20))


def test_the_share_of_no_image_is_no_number() -> None:
    # One class in the ten is right by chance at most: with one test image and no training to speak of, none may be.
    chosen = study(
        data={"train_limit": 10, "test_limit": 1},
        training={"epochs": 1, "lr": 1e-9},
        evaluation={"attacks": [{"name": "fgsm", "eps": [0.1]}]},
    )
    tables = [as_table(run_trial(chosen, chosen.arms[0], seed)) for seed in range(3)]
    wrong = [table for table in tables if table["clean", None] == 0]
    assert wrong
    assert all(table["fgsm", 0.1] == 0 and math.isnan(table["fgsm (of correct)", 0.1]) for table in wrong)
