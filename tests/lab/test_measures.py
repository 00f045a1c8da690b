"""Measures of any kind: which way is better, the margin, the scale, the words; and that verdicts go by them."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.lab.own import own_answer, own_study
from tests.lab.studies import answer, around, turned

from dropover.lab.growing import Growth
from dropover.lab.judging.looks import plan
from dropover.lab.judging.measures import Measure, first_figure, fitted, logged, measure_of, returned
from dropover.lab.records.rows import Row
from dropover.lab.records.trials import TrialKey
from dropover.lab.study import EvaluationSettings

ARMS = ("none", "a", "b")
STUDY = own_study(ARMS)
NONE, A, B = around(0.5), turned(around(0.55)), turned(around(0.45), 3)
tables = some.lists(
    some.lists(some.integers(1, 50).map(lambda x: x / 50), min_size=4, max_size=4), min_size=3, max_size=3
)


def judged(measure: str, rows: list[list[float]], names: tuple[str, ...] = ARMS, **said: object) -> dict[str, tuple]:
    """What is said of each arm: its verdict, how many seeds it wants, its marks."""
    found = own_answer({measure: dict(zip(names, rows, strict=True))}, measures={measure: said})
    (column,) = found.columns
    return {arm: (each.verdict, each.seeds_needed, column.marks(arm)) for arm, each in column.comparisons.items()}


@pytest.mark.parametrize(
    ("name", "higher", "scale"),
    [
        *((name, True, "share") for name in ("accuracy", "val_acc", "Top-1 accuracy", "AUROC", "f1 macro", "mIoU")),
        *((name, False, "loss") for name in ("log-loss", "logloss", "val_loss", "MSE", "cross-entropy", "error rate")),
        *((name, True, "plain") for name in ("r2", "BLEU", "reward", "lossless", "accuracies", "mapping")),
        ("accuracy loss", False, "loss"),
    ],
)
def test_what_nobody_said_follows_from_the_name(name: str, higher: bool, scale: str):
    found = measure_of(STUDY, name)
    assert (found.higher_is_better, found.scale, found.of_images) == (higher, scale, False)


def test_what_the_study_says_counts_more_than_the_name():
    said = {"loss": {"higher_is_better": True}, "accuracy": {"scale": "plain", "margin": 2}, "cost": {"scale": "loss"}}
    study = own_study(ARMS, measures=said, margin=1)
    assert measure_of(study, "loss") == Measure("loss", True, "loss")
    assert measure_of(study, "accuracy") == Measure("accuracy", True, "plain", 2)
    assert measure_of(study, "cost") == Measure("cost", False, "loss")
    assert measure_of(study, "f1") == Measure("f1", True, "share", 0.01)


def test_what_is_scored_by_images_is_so_in_every_study():
    study = STUDY.model_copy(update={"evaluation": EvaluationSettings(noise={"gaussian": [0.1]})})
    for label in ("clean", "gaussian", "worst", "worst l2"):
        assert measure_of(study, label) == Measure(label, margin=0.005, of_images=True)


@settings(max_examples=10, deadline=None)
@given(tables)
def test_a_mirrored_measure_has_the_same_verdicts(rows: list[list[float]]):
    mirrored = [[-value for value in row] for row in rows]
    more = judged("score", rows, margin=0.013)
    assert judged("score", mirrored, higher_is_better=False, margin=0.013) == more


@settings(max_examples=10, deadline=None)
@given(tables, some.sampled_from(["loss", "plain"]), some.sampled_from([1e-9, 2.0**-20, 1000.0, 1e9]))
def test_units_do_not_matter(rows: list[list[float]], scale: str, unit: float):
    scaled = [[unit * value for value in row] for row in rows]
    assert judged("x", scaled, scale=scale, margin=0.013 * unit) == judged("x", rows, scale=scale, margin=0.013)


@settings(max_examples=8, deadline=None)
@given(tables)
def test_names_do_not_matter(rows: list[list[float]]):
    other = judged("perplexity", [rows[0], rows[2], rows[1]], ("base", "y", "x"), margin=0.013)
    found = judged("log-loss", rows, margin=0.013)
    assert (found["a"], found["b"]) == (other["x"], other["y"])


def test_less_of_a_loss_is_better_everywhere():
    found = own_answer({"log-loss": {"none": NONE, "a": A, "b": B}})
    (column,) = found.columns
    assert [column.sign(arm) for arm in ARMS] == ["", "▼", "▲"]
    assert (column.best, column.marks("b"), column.marks("a")) == (["b"], "*†", "")
    assert found.verdicts["verdict"].tolist() == ["worse", "better"]
    assert found.conclusion.lines == ["On log-loss: use b, better than “none” by 0.0500; worse: a (0.0500)."]


def test_each_measure_has_its_sentence_with_the_costs_in_the_words_of_the_others():
    values = {
        "accuracy": {"none": NONE, "a": A, "b": NONE},
        "loss": {"none": around(1, 8, 0.01), "a": turned(around(1.5, 8, 0.01)), "b": turned(around(0.8, 8, 0.01), 3)},
        "r2": {"none": around(0.7), "a": turned(around(0.7)), "b": turned(around(0.7), 3)},
    }
    assert own_answer(values, measures={"r2": {"margin": 0.1}}).conclusion.lines == [
        "On accuracy: use a, better than “none” by 5.0 points; it is worse by 0.500 on loss.",
        "On loss: use b, better than “none” by 0.200; worse: a (0.500).",
        "On r2: keep “none”, no arm is better by more than 0.1.",
        "Level with “none”: b on accuracy (within ±0.5 points); a and b on r2 (within ±0.1).",
    ]


def test_where_every_arm_has_the_same_it_is_said_in_the_measures_words():
    same = dict.fromkeys(ARMS, [1e-12] * 3)
    assert own_answer({"mse": same}).conclusion.lines == ["On mse: every arm has 1e-12."]


def test_a_share_that_is_none_and_a_loss_without_a_logarithm_are_judged_plainly_and_that_is_said():
    found = own_answer({"accuracy": {"none": around(50, 4, 0.1), "a": turned(around(55, 4, 0.1))},
                        "nll": {"none": around(-1, 4), "a": turned(around(-2, 4))}})  # fmt: skip
    accuracy, nll = found.columns
    assert (accuracy.reading.scale, accuracy.reading.margin, nll.reading.margin) == ("plain", 0.5, 0.01)
    assert (accuracy.sign("a"), nll.sign("a")) == ("▲", "▲")
    assert "within ±0.5 (1 % of none's mean; not all values are from 0 to 1" in found.legend
    assert "within ±0.01 (1 % of none's mean; not all values are above 0" in found.legend
    kept = own_answer({"accuracy": {"none": [50.0, 51.0]}}, measures={"accuracy": {"margin": 2}}).columns[0].reading
    assert (kept.scale, kept.margin) == ("plain", 2)


def test_the_margin_that_nobody_gave_is_what_is_said_of_it():
    (column,) = own_answer({"rmse": {"none": around(3.3333), "a": turned(around(3.3334))}}).columns
    assert column.decision.margin == 0.033
    assert column.decision.of("level")
    assert column.reading.within == "0.033"


def test_the_margin_of_a_study_that_grows_stays_where_it_was_at_the_first_look():
    study = own_study(("none", "a"), 6)
    growth = Growth(study, plan(6, 1))
    reference = [1.0, 1.1, 0.9, 2.0, 3.0, 4.0]
    for seeds in (3, 4, 6):
        values = {"none": dict(enumerate(reference[:seeds])), "a": dict(enumerate(reference[:seeds]))}
        decision = growth.judge("rmse", values)
        assert (decision.margin, [each.verdict for each in decision.comparisons]) == (0.01, ["level"])


def test_a_study_that_grows_is_judged_the_measures_way():
    study = own_study(("none", "a"), 8)
    values = {"none": dict(enumerate(around(1.0))), "a": dict(enumerate(turned(around(0.5))))}
    growth = Growth(study, plan(8, 1))
    assert [growth.judge(name, values).comparisons[0].verdict for name in ("mse", "r2")] == ["better", "worse"]


@pytest.mark.parametrize(
    ("values", "value", "difference", "size"),
    [
        ([[0.3123, 0.3243, 0.3183]], "0.3183", "+0.0120", "0.0120"),
        ([[0.3123, 0.3125]], "0.31240", "+0.01200", "0.01200"),
        ([[152.0, 180.0]], "166", "0", "less than 1"),
        ([[0.0, 1.0]], "0.500", "+0.012", "0.012"),
        ([[1234567.0]], "1.235e+06", "+0.012", "0.012"),
        ([[1.5e-7, 1.6e-7]], "1.55e-07", "+0.012", "0.012"),
        ([[-3.25]], "−3.250", "+0.012", "0.012"),
        ([[0.0, 0.0]], "0", "+0.012", "0.012"),
        ([], "2", "+0.012", "0.012"),
    ],
)
def test_figures_have_the_digits_that_the_spread_leaves_a_meaning(
    values: list[list[float]], value: str, difference: str, size: str
):
    reading = fitted(STUDY, "score", {f"arm{i}": dict(enumerate(row)) for i, row in enumerate(values)})
    mean = sum(values[0]) / len(values[0]) if values else 2.0
    assert (reading.value(mean), reading.difference(0.012), reading.size(0.012)) == (value, difference, size)
    assert reading.size(-0.012) == size
    assert reading.difference(-0.012) == difference.replace("+", "−")


def test_shares_have_percent_and_points():
    reading = Measure("f1", margin=0.005)
    assert (reading.figure(0.978), reading.value(0.978), reading.within) == ("97.8", "97.8 %", "0.5 points")
    assert (reading.difference(0.004), reading.difference(-0.0001)) == ("+0.4", "0.0")
    assert (reading.size(-0.018), reading.size(0.0001)) == ("1.8 points", "less than 0.1 points")
    assert [reading.distance(d) for d in (0.01, -0.01, 0.0)] == [
        "+1.0 points over", "1.0 points under", "0.0 points from"
    ]  # fmt: skip


@given(some.floats(-1e12, 1e12), some.sampled_from([None, 0, 3]), some.sampled_from(["loss", "plain"]))
def test_no_word_of_a_loss_is_of_points(number: float, decimals: int | None, scale: str):
    reading = replace(Measure("x", scale=scale, margin=abs(number)), decimals=decimals)  # type: ignore[arg-type]
    texts = [reading.figure(number), reading.value(number), reading.difference(number), reading.amount(number),
             reading.size(number), reading.distance(number), reading.within]  # fmt: skip
    assert not re.search(r"point|percent|%", " ".join(texts))


def test_what_is_returned_is_judged_and_what_is_logged_is_not():
    found = own_answer({"loss": {"none": NONE}, "acc": {"none": NONE}}, {"loss": 3, "grad norm": 1})
    assert returned(found.table, found.study) == ["loss", "acc"]
    assert logged(found.table, found.study) == ["loss", "grad norm"]
    assert [column.measure for column in found.columns] == ["loss", "acc"]
    images = answer({"clean": {"none": NONE}})
    assert (returned(images.table, images.study), logged(images.table, images.study)) == ([], [])


def test_an_arm_without_a_value_of_a_measure_has_none_there():
    found = own_answer({"loss": {"none": NONE, "a": A}, "acc": {"none": NONE, "a": [None] * 8}})
    assert [list(column.figures) for column in found.columns] == [["none", "a"], ["none"]]
    assert [each.why for each in found.columns[1].decision.comparisons] == ["Nothing can be compared: a has no value."]


def test_images_of_a_model_that_was_returned_are_judged_beside_the_functions_own_measures():
    values = {"mse": {"none": A, "a": NONE}, "clean": {"none": NONE, "a": A}}
    first, second = own_answer(values).conclusion.lines
    assert first == "On mse: use a, better than “none” by 0.0500, better on clean images too."
    assert second == "On clean images: use a, better than “none” by 5.0 points, better on mse too."


def test_an_ended_trial_is_told_by_its_first_measure():
    trial = TrialKey(STUDY.arms[1], 0, {})
    rows = [Row("train_loss", 1, 0.5), Row("seconds", None, 3.0), Row("log-loss", None, 0.31239), Row("f1", None, 0.5)]
    assert first_figure(STUDY, trial, rows) == "log-loss 0.3124"
    assert first_figure(STUDY, trial, [Row("accuracy", None, 0.971)]) == "accuracy 97.1 %"
    assert first_figure(STUDY, trial, [Row("accuracy", None, 97.1)]) == "accuracy 97.10"
    assert first_figure(STUDY, trial, rows[:2]) == ""
    assert first_figure(answer({"clean": {"none": NONE}}).study, trial, [Row("clean", None, 0.971)]) == "clean 97.1 %"
