"""The answer in words: what it says of known verdicts, and that it says no more than they hold."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.lab.studies import answer, around, turned

REFERENCE = around(0.95)


def clean(**arms: list[float]) -> dict[str, list[float]]:
    return {"none": REFERENCE, **arms}


def test_which_arm_to_use_which_are_worse_and_which_are_level():
    lines = answer({"clean": clean(a=turned(around(0.97)), b=turned(around(0.93), 3))}).conclusion.lines
    assert lines == ["On clean images: use a, better than “none” by 2.0 points; worse: b (2.0 points)."]
    lines = answer({"clean": clean(a=turned(around(0.95)), b=turned(around(0.93), 3))}).conclusion.lines
    assert lines == [
        "On clean images: keep “none”, no arm is better by more than 0.5 points; worse: b (2.0 points).",
        "Level with “none” (within ±0.5 points): a on clean images.",
    ]


def test_the_first_of_several_better_arms_and_the_others():
    lines = answer({"clean": clean(a=turned(around(0.97)), b=turned(around(0.98), 3))}).conclusion.lines
    assert lines == ["On clean images: use b, better than “none” by 3.0 points; better too: a (2.0 points)."]


@pytest.mark.parametrize(
    ("mean", "cost"),
    [
        (0.93, "; it costs 2.0 points of clean accuracy"),
        (0.95, ", level on clean images"),
        (0.97, ", better on clean images too"),
        (0.953, ", undecided on clean images"),
    ],
)
def test_what_is_won_under_noise_is_told_with_what_it_costs(mean: float, cost: str):
    noisy = {"none": around(0.6), "a": turned(around(0.7)), "b": turned(around(0.6), 3)}
    found = answer({"clean": clean(a=turned(around(mean)), b=turned(around(0.95), 3)), "gaussian": noisy})
    said = next(line for line in found.conclusion.lines if line.startswith("Under noise"))
    assert said == f"Under noise: use a, better than “none” by 10.0 points (gaussian 0.5){cost}."


def test_noises_are_told_together_and_costs_under_noise_with_the_clean_arm():
    noisy = {"none": around(0.6), "a": turned(around(0.5)), "b": turned(around(0.7), 3)}
    places = {
        "clean": clean(a=turned(around(0.97)), b=turned(around(0.95), 3)),
        "gaussian": noisy,
        "poisson": {**noisy, "b": turned(around(0.65), 3)},
    }
    first, second, *_ = answer(places).conclusion.lines
    assert first == (
        "On clean images: use a, better than “none” by 2.0 points; it costs 10.0 points under gaussian 0.5 and "
        "10.0 points under poisson 0.5."
    )
    assert second == (
        "Under noise: use b, better than “none” by 10.0 points (gaussian 0.5) and 5.0 points (poisson 0.5), "
        "level on clean images."
    )


def attacked(margin: float, attacks: tuple[str, ...] = ("pgd", "pgd-margin")) -> str:
    """What is said of an arm that is better in the worst case and keeps this much under the margin loss."""
    values = {"none": around(0.3), "a": turned(around(0.4)), "b": turned(around(0.3), 3)}
    places = {"clean": clean(), "worst": values, "pgd": values}
    if "pgd-margin" in attacks:
        places["pgd-margin"] = {**values, "a": turned(around(margin))}
    lines = answer(places, attacks=attacks).conclusion.lines
    return next(line for line in lines if line.startswith("Under attack"))


def test_robustness_is_recommended_where_it_was_audited_and_nothing_was_hidden():
    assert attacked(0.4).startswith("Under attack: use a, better than “none” by 10.0 points (ε = 0.1)")
    hidden = attacked(0.1)
    assert hidden.startswith("Under attack: no arm can be recommended: a looks better, but gradients are partly hidden")
    unchecked = attacked(0.4, ("pgd",))
    assert unchecked.startswith("Under attack: no arm can be recommended: a looks better, but no attack on a margin")


def test_single_attacks_have_no_part_in_the_answer():
    values = {"none": around(0.3), "a": turned(around(0.4)), "b": turned(around(0.3), 3)}
    found = answer({"clean": clean(a=turned(around(0.95))), "pgd": values})
    assert not any("attack" in line for line in found.conclusion.lines)


def test_what_is_undecided_comes_with_the_seeds_that_are_wanting_and_the_command():
    wide = [around(0.95, 3, 0.01), turned(around(0.952, 3, 0.01)), turned(around(0.94, 3, 0.01), 2)]
    found = answer({"clean": dict(zip(("none", "a", "b"), wide, strict=True))}, command="dropover compare my.toml")
    first, last = found.conclusion.lines
    assert first == "On clean images: no arm is shown to be better than “none”."
    assert re.fullmatch(r"Undecided \(.*\): on clean images a \((\d+|over 100)\) and b \((\d+|over 100)\)\.", last)
    assert found.remedy == "dropover compare my.toml --until-decided"
    assert answer({"clean": clean(a=REFERENCE, b=REFERENCE)}, command="dropover compare my.toml").remedy == ""


def test_a_run_that_added_seeds_is_not_told_to_do_so_again():
    wide = {"none": around(0.95, 3, 0.01), "a": turned(around(0.952, 3, 0.01))}
    found = answer({"clean": wide}, ("none", "a"), command="dropover compare my.toml --until-decided")
    assert found.conclusion.is_open
    assert found.remedy == ""


ARMS, SEEDS = ("none", "a", "b"), 3
MEASURES = ("clean", "gaussian", "worst", "pgd", "pgd-margin")
trials = some.dictionaries(
    some.tuples(some.sampled_from(ARMS), some.sampled_from(range(SEEDS))),
    some.tuples(*(some.integers(0, 50).map(lambda x: x / 50) for _ in MEASURES)),
    min_size=4,
)


@settings(max_examples=15, deadline=None)
@given(trials)
def test_nothing_is_said_that_the_verdicts_do_not_hold(finished: dict[tuple[str, int], tuple[float, ...]]):
    places = {
        measure: {arm: [finished[arm, seed][i] if (arm, seed) in finished else None for seed in range(SEEDS)]
                  for arm in ARMS}
        for i, measure in enumerate(MEASURES)
    }  # fmt: skip
    found = answer(places)
    columns = {column.measure: column for column in found.columns}
    starts = {"On clean images": "clean", "Under noise": "gaussian", "Under attack": "worst"}
    for line in found.conclusion.lines:
        assert "nan" not in line.lower()
        column = columns.get(starts.get(line.split(":")[0], ""))
        if column is None:
            continue
        verdict = {arm: each.verdict for arm, each in column.comparisons.items()}
        for arm in re.findall(r"use (\w+),|[:,] (\w+) looks? better", line):
            assert verdict["".join(arm)] == "better"
        for arm in re.findall(r"(\w+) \([^()]*\)", line.partition("worse: ")[2]):
            assert verdict[arm] == "worse"
        if "keep" in line:
            assert {*verdict.values()} <= {"level", "worse"}
        if "no arm is shown" in line:
            assert "better" not in verdict.values()
            assert "undecided" in verdict.values()
