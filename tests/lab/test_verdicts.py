import dataclasses

import pandas as pd
import pytest

from dropover.lab.judging import statistics as st
from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import Figure, MarginCheck
from dropover.lab.judging.deciding import Comparison, Verdict
from dropover.lab.judging.measures import Measure
from dropover.lab.study import Arm, Study


def figure(arm: str, values: list[float], reference: list[float] | None = None, tests: int = 1) -> Figure:
    made = Figure(arm, "clean", None, tuple(values), sum(values) / len(values), st.spread(values))
    if reference is None:
        return made
    p = st.sign_flip(values, reference)
    return dataclasses.replace(
        made,
        difference=st.paired_difference(values, reference),
        p_exact=p,
        p_holm=min(1.0, p * tests),
        p_student=st.student_t(values, reference),
        tests=tests,
    )


NONE = [0.972, 0.974, 0.976]
FLIP = [0.975, 0.979, 0.980]


def test_the_speed_told_is_the_median_over_trials():
    speeds = {"images_per_second": [4000.0, 4200.0, 100.0], "attacked_per_second": [900.0, 1000.0, 1100.0]}
    table = pd.DataFrame([(name, value) for name, values in speeds.items() for value in values])
    table.columns = ["measure", "value"]
    (line,) = verdicts.throughput(table)
    assert "trained on 4,000 images/s and attacked 1,000 images/s" in line
    (line,) = verdicts.throughput(table[table["measure"] == "images_per_second"])
    assert "attacked" not in line
    assert verdicts.throughput(table[table["value"] < 0]) == []


def test_three_seeds_give_an_interval_and_an_exact_test_that_can_show_nothing():
    assert verdicts.against_reference(figure("flipover", FLIP, NONE), "none") == (
        "clean 97.8 %, +0.4 points over none (95 % interval +0.2 to +0.6; 3 seeds). "
        "Exact paired test: p = 0.25, the smallest that 3 seeds can give: by itself it can't show a difference."
    )


def test_a_p_above_the_smallest_is_told_from_it():
    text = verdicts.against_reference(figure("flipover", [0.97, 0.98, 0.976], NONE), "none")
    assert "(3 seeds can't go below 0.25): by itself it can't show a difference." in text


def test_one_seed_says_nothing_beyond_itself():
    text = verdicts.against_reference(figure("flipover", [0.9], [0.8]), "none")
    assert text == (
        "clean 90.0 %, +10.0 points over none (one seed: no spread is known, so nothing can be said beyond that seed)."
    )


def test_the_reference_itself_is_only_told():
    assert verdicts.against_reference(figure("none", NONE), "none") == "clean 97.4 %."


@pytest.mark.parametrize(
    ("tests", "end"),
    [
        (1, "p = 0.031: it shows a difference."),
        (5, "0.16 after Holm's correction for 5 arms: by itself it shows no difference"),
    ],
)
def test_six_seeds_can_show_a_difference_to_one_arm_and_not_to_five(tests: int, end: str):
    reference = [0.90, 0.91, 0.92, 0.93, 0.94, 0.95]
    better = [value + 0.01 + 0.001 * i for i, value in enumerate(reference)]
    assert end in verdicts.against_reference(figure("flipover", better, reference, tests), "none")


def test_a_difference_below_the_shown_digits_is_none():
    text = verdicts.against_reference(figure("a", [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]), "none")
    assert text.startswith("clean 80.0 %, 0.0 points from none (95 % interval 0.0 to 0.0; 3 seeds).")
    under = verdicts.against_reference(figure("a", [0.8, 0.7, 0.6], [0.9, 0.8, 0.7]), "none")
    assert under.startswith("clean 70.0 %, 10.0 points under none")


@pytest.mark.parametrize(
    ("n", "arms", "says"),
    [
        (1, 1, "One seed says nothing about chance"),
        (3, 1, "can't go below p = 0.25: by this test alone no difference can be significant, however large,"),
        (3, 5, "with fewer than 6 seeds (8 after Holm's correction for 5 arms)."),
        (6, 5, "enough for one comparison, too few after Holm's correction for 5 arms, which takes 8 seeds."),
        (8, 5, "With 8 seeds the exact paired test can go down to p = 0.0078, enough for 5 arms."),
    ],
)
def test_what_the_exact_test_can_say_with_so_many_seeds(n: int, arms: int, says: str):
    reference = [0.9 + 0.001 * seed for seed in range(n)]
    others = [figure(f"arm {i}", [0.9 + 0.002 * seed for seed in range(n)], reference, arms) for i in range(arms)]
    assert says in verdicts.about_the_test(others)[0]


def test_nothing_to_compare_is_said():
    assert verdicts.about_the_test([figure("none", NONE)]) == [
        "There is no other arm to compare with the reference yet."
    ]


def compared(verdict: Verdict, difference: float | None, low: float | None, high: float | None, **more) -> Comparison:
    return Comparison("a", "none", verdict, "Because.", difference, low, high, **more)


@pytest.mark.parametrize(
    ("comparison", "says", "interval"),
    [
        (compared("worse", -0.018, -0.023, -0.013), "worse than none by 1.8 points", "−2.3 to −1.3"),
        (compared("better", 0.0004, 0.0, 0.06), "better than none by less than 0.1 points", "0.0 to +6.0"),
        (compared("level", 0.001, -0.003, 0.004), "level with none within ±0.5 points", "−0.3 to +0.4"),
        (compared("undecided", 0.01, -0.01, 0.02), "undecided, +1.0 points over none", "−1.0 to +2.0"),
        (compared("undecided", 0.01, None, None), "undecided, +1.0 points over none", ""),
        (compared("undecided", None, None, None), "undecided", ""),
    ],
)
def test_a_verdict_comes_with_its_size_and_its_interval(comparison: Comparison, says: str, interval: str):
    reading = Measure("clean", margin=0.005)
    assert verdicts.verdict(comparison, reading) == says + f" (95 % simultaneous interval {interval})" * bool(interval)


def test_what_a_verdict_rests_on_and_what_it_lacks():
    full = compared("undecided", 0.01, -0.01, 0.02, method="by hand", seeds=3, seeds_needed=4, left_out=(3, 5))
    assert verdicts.grounds(full) == (
        "Judged by: by hand. Because. About 1 more seed would decide it. Only one of the two has seeds 3, 5: no pair."
    )
    assert verdicts.grounds(compared("undecided", None, None, None)) == "Because."


def check(level: float, cross_entropy: float, margin: float, hidden: bool) -> MarginCheck:
    return MarginCheck("fdd1d", level, cross_entropy, margin, hidden)


def test_hidden_gradients_make_the_figure_an_upper_bound():
    found = [check(0.03, 0.76, 0.75, False), check(0.25, 0.24, 0.0, True)]
    worst = [Figure("fdd1d", "worst", 0.25, (0.0,), 0.0, None)]
    assert verdicts.robustness(found, worst, ["fgsm", "pgd", "pgd-margin"]) == [
        "The cross-entropy figure is an upper bound: a margin loss breaks 24.0 points more at ε = 0.25. "
        "Gradients are partly hidden.",
        "The cross-entropy figure survives the margin loss at ε = 0.03.",
        "To believe: the worst over all attacks, image by image: 0.0 % at ε = 0.25. "
        "Still an upper bound: only fgsm, pgd, pgd-margin were tried.",
    ]
    assert verdicts.margin_headline(found) == (
        "Attacks: gradients are partly hidden, and cross-entropy figures too high, in fdd1d (ε = 0.25)."
    )


def test_an_arm_without_the_margin_loss_is_said_to_be_unchecked():
    worst = [Figure("none", "worst", 0.1, (0.3,), 0.3, None)]
    assert verdicts.robustness([], worst, ["fgsm"])[0].startswith("Not checked with a margin loss")
    assert verdicts.robustness([], [], []) == []
    assert verdicts.margin_headline([]) is None
    assert verdicts.margin_headline([check(0.1, 0.5, 0.5, False)]) == (
        "Attacks: at no ε does a margin loss break clearly more than cross-entropy does; no sign of hidden gradients."
    )


def test_the_legend_says_what_every_sign_and_the_dagger_are():
    legend = verdicts.legend(Study(arms=[Arm(method="none")], margin=1.25))
    for said in ("▲ better, ▼ worse, = level, ? undecided", "±1.25 points", "Student's t, unpaired", "not corrected"):
        assert said in legend
