import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from dropover.lab.judging.deciding import Comparison, Decision, Values, decide
from dropover.lab.judging.scales import Losses, Plain, Shares, scale_of

NAN = math.nan
ARMS = ["none", "arm1", "arm2", "arm3", "arm4", "arm5"]
shares = some.lists(
    some.lists(some.integers(0, 100).map(lambda x: x / 100) | some.just(NAN), min_size=3, max_size=3), max_size=7
)


def study(means: list[float], spread: float = 0.005, seeds: int = 3, seed: int = 0) -> dict[str, dict[int, float]]:
    """Arms whose means and standard deviations over seeds are exactly these."""
    drawn = np.random.default_rng(seed).standard_normal((len(means), seeds))
    drawn = (drawn - drawn.mean(1, keepdims=True)) / drawn.std(1, ddof=1, keepdims=True)
    names = ["none", *(f"arm{index}" for index in range(1, len(means)))]
    return {
        name: dict(enumerate((mean + spread * row).tolist()))
        for name, mean, row in zip(names, means, drawn, strict=True)
    }


def verdicts(decision: Decision) -> list[str]:
    return [each.verdict for each in decision.comparisons]


def test_two_points_below_at_a_spread_of_half_a_point_are_worse_with_18_trials():
    """In most studies; where the two arms alone leave more room, a fourth or fifth seed is asked for, never many."""
    found = [
        decide(study([0.97, 0.95, 0.97, 0.97, 0.97, 0.97], seed=seed), "none", 0.005).comparisons for seed in range(50)
    ]
    assert {each.verdict for comparisons in found for each in comparisons[1:]} == {"undecided"}
    assert all(comparisons[0].difference == pytest.approx(-0.02, abs=3e-4) for comparisons in found)
    first = [comparisons[0] for comparisons in found]
    assert sum(each.verdict == "worse" for each in first) > 25
    assert {each.seeds_needed for each in first} <= {None, 4, 5}


@given(
    some.integers(0, 2**32 - 1),
    some.lists(some.floats(-0.005, 0.005), min_size=3, max_size=3),
    some.floats(0.3, 0.9),
)
@settings(max_examples=50, deadline=None)
def test_they_are_worse_whenever_each_arms_spread_beside_its_seeds_effect_is_exactly_that(
    pattern: int, seed_effects: list[float], level: float
):
    residuals = alike(np.random.default_rng(pattern))
    assume(residuals is not None)
    means = np.array([level, level - 0.02, level, level, level, level])
    table = means[:, None] + np.array(seed_effects) + 0.005 * residuals
    values = {name: dict(enumerate(row.tolist())) for name, row in zip(ARMS, table, strict=True)}
    for scale in ("share", "plain"):
        comparison = decide(values, "none", 0.005, scale=scale).comparisons[0]
        assert comparison.verdict == "worse"
        assert comparison.spread == pytest.approx(0.005, rel=0.2 if scale == "share" else 1e-6)


def alike(generator: np.random.Generator) -> np.ndarray | None:
    """Residuals of six arms at three seeds, each arm's standard deviation 1; None where no such ones are near.

    Three residuals without a mean are a vector in the plane; over the arms of a seed there is no mean either.
    """
    plane = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    vectors = generator.standard_normal((6, 2))
    for _ in range(500):
        vectors = vectors - vectors.mean(0)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # Of the two degrees of freedom that each arm has, the seeds' effects take a sixth.
    return math.sqrt(2 * 5 / 6) * vectors @ plane if np.abs(vectors.mean(0)).max() < 1e-9 else None


@pytest.mark.parametrize("seed", range(10))
def test_with_two_seeds_more_they_are_worse_in_every_study(seed: int):
    decision = decide(study([0.97, 0.95, 0.97, 0.97, 0.97, 0.97], seeds=5, seed=seed), "none", 0.005)
    assert verdicts(decision)[0] == "worse"


def test_spreads_that_are_alike_are_pooled():
    methods = [each.method for each in decide(study([0.5] * 6), "none", 0.005).comparisons]
    assert "pooled over 6 arms, 10 degrees of freedom, Dunnett" in methods


def test_close_arms_at_many_seeds_are_level_and_a_better_one_is_better():
    decision = decide(study([0.95, 0.951, 0.97, 0.95], seeds=40), "none", 0.005)
    assert verdicts(decision) == ["level", "better", "level"]
    for each in decision.of("level"):
        assert each.low is not None
        assert each.high is not None
        assert -0.005 <= each.low <= each.high <= 0.005


def test_a_difference_within_the_margin_is_level_though_it_leaves_out_zero():
    values = study([0.95, 0.953, 0.95], spread=0.001, seeds=20)
    assert verdicts(decide(values, "none", 0.005))[0] == "level"
    assert verdicts(decide(values, "none", 0.0))[0] == "better"


def test_less_is_better_of_a_loss():
    values = study([0.5, 0.6, 0.4], spread=0.005, seeds=10)
    assert verdicts(decide(values, "none", 0.01, higher_is_better=False, scale="loss")) == ["worse", "better"]
    assert verdicts(decide(values, "none", 0.01, scale="loss")) == ["better", "worse"]


def test_all_pairs_are_tukey_kramers():
    decision = decide(study([0.97, 0.94, 0.97, 0.97, 0.97, 0.97]), "none", 0.005, pairs="all")
    assert len(decision.comparisons) == 15
    assert ("arm1", "none", "worse") in {(c.arm, c.reference, c.verdict) for c in decision.comparisons}
    assert any("Tukey–Kramer" in each.method for each in decision.comparisons)


def test_an_arm_that_spreads_unlike_the_others_is_said_to():
    values = study([0.5, 0.5, 0.5, 0.5, 0.5], seeds=6)
    values["wild"] = dict(enumerate([0.2, 0.8, 0.5, 0.9, 0.1, 0.6]))
    wild = decide(values, "none", 0.005).comparisons[-1]
    assert wild.method == "own spread, 5 degrees of freedom, paired t"
    assert wild.why == "wild clearly spreads unlike the other arms."
    assert wild.verdict == "undecided"


def test_the_seeds_needed_decide_and_one_less_does_not():
    needed = decide(study([0.95, 0.944, 0.95, 0.951]), "none", 0.005).comparisons[0].seeds_needed
    assert needed is not None

    def at(seeds: int) -> str:
        # The same mean, the same spread of each arm and of each pair: residuals that are orthogonal to each other.
        angles = 2 * np.pi * np.outer([1, 1, 2, 2], np.arange(seeds)) / seeds
        waves = np.where(np.arange(4)[:, None] % 2 == 0, np.cos(angles), np.sin(angles))
        waves /= waves.std(1, ddof=1, keepdims=True)
        means = [0.95, 0.944, 0.95, 0.951]
        rows = {
            name: dict(enumerate((mean + 0.005 * wave).tolist()))
            for name, mean, wave in zip(["none", "arm1", "arm2", "arm3"], means, waves, strict=True)
        }
        return decide(rows, "none", 0.005).comparisons[0].verdict

    assert at(4 * needed) == "worse"
    assert at(max(5, needed // 4)) == "undecided"


def test_a_pair_that_differs_without_spread_goes_by_its_signs():
    values = {"none": dict.fromkeys(range(3), 0.9), "a": dict.fromkeys(range(3), 0.8)}
    few = decide(values, "none", 0.005).comparisons[0]
    assert (few.verdict, few.seeds_needed, few.low) == ("undecided", 6, None)
    many = {arm: dict.fromkeys(range(6), row[0]) for arm, row in values.items()}
    assert decide(many, "none", 0.005).comparisons[0].verdict == "worse"


@pytest.mark.parametrize(
    ("values", "verdict", "why"),
    [
        ({"none": {0: 0.9}, "a": {0: 0.8}}, "undecided", "One seed says nothing about chance"),
        ({"none": {0: 1.0, 1: 1.0}, "a": {0: 1.0, 1: 1.0}}, "level", "gave the same in each of 2 seeds"),
        ({"none": {0: 0.0, 1: 0.0}, "a": {0: 0.0, 1: 0.0}}, "level", "gave the same in each of 2 seeds"),
        ({"none": {0: 0.5, 1: 0.6}, "a": {0: NAN, 1: NAN}}, "undecided", "Nothing can be compared: a has no value."),
        ({"none": {}, "a": {0: 0.5, 1: 0.5}}, "undecided", "Nothing can be compared: none has no value."),
        ({"a": {0: 0.5, 1: 0.4}}, "undecided", "the reference none is not among the arms"),
        ({"none": {0: 0.5}, "a": {1: 0.4}}, "undecided", "a and none have no seed in common"),
    ],
)
def test_where_there_is_nothing_to_judge_by_a_true_sentence_says_so(values: Values, verdict: str, why: str):
    decision = decide(values, "none", 0.005)
    assert verdicts(decision) == [verdict]
    assert why in decision.comparisons[0].why


def test_one_arm_alone_is_said():
    decision = decide({"none": {0: 0.9, 1: 0.8}}, "none", 0.005)
    assert (decision.comparisons, decision.notes) == ((), ("there is no other arm to compare with none",))


def test_a_failed_trial_is_left_out_and_said():
    values = study([0.95, 0.95, 0.95, 0.93])
    values["arm1"][2] = NAN
    del values["arm2"][0]
    first, second, third = decide(values, "none", 0.005).comparisons
    assert (first.seeds, first.left_out) == (2, (2,))
    assert (second.seeds, second.left_out) == (2, (0,))
    assert (third.seeds, third.left_out) == (3, ())


@settings(deadline=None, max_examples=60)
@given(shares, some.sampled_from(["reference", "all"]))
def test_no_table_of_shares_gives_a_warning_or_nan(rows: list[list[float]], pairs: str):
    values = {f"a{index}": dict(enumerate(row)) for index, row in enumerate(rows)}
    decision = decide(values, "a0", 0.005, pairs="all" if pairs == "all" else "reference")
    for each in decision.comparisons:
        numbers = [value for value in astuple(each) if isinstance(value, float)]
        assert all(math.isfinite(number) for number in numbers)
        if each.low is not None and each.high is not None and each.difference is not None:
            assert each.low <= each.difference + 1e-12
            assert each.difference <= each.high + 1e-12
            assert -1 <= each.low <= each.high <= 1


def test_the_order_of_arms_does_not_matter():
    values = study([0.95, 0.94, 0.95, 0.93, 0.96])
    first = {c.arm: c for c in decide(values, "none", 0.005).comparisons}
    second = {c.arm: c for c in decide(dict(reversed(values.items())), "none", 0.005).comparisons}
    for arm, comparison in first.items():
        assert second[arm].verdict == comparison.verdict
        assert second[arm].low == pytest.approx(comparison.low)
        assert second[arm].high == pytest.approx(comparison.high)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"margin": -1.0}, "margin must be 0 or more, got -1.0"),
        ({"alpha": 1.0}, "alpha must be between 0 and 1, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(kwargs: dict[str, float], message: str):
    settings = {"margin": 0.005, "alpha": 0.05, **kwargs}
    with pytest.raises(ValueError, match=message):
        decide(study([0.9, 0.8]), "none", settings["margin"], alpha=settings["alpha"])


def test_percent_instead_of_shares_are_refused():
    with pytest.raises(ValueError, match="shares are between 0 and 1, got 90 to 92"):
        decide({"none": {0: 90.0, 1: 91.0}, "a": {0: 92.0, 1: 91.0}}, "none", 0.005)


@pytest.mark.parametrize("scale", [Plain(), Shares(), Losses()])
def test_scales_lead_back(scale: Plain):
    values = np.array([0.001, 0.3, 0.97, 1.0])
    assert scale.back(scale.judged(values)) == pytest.approx(values)
    assert (np.diff(scale.judged(values)) > 0).all()


def test_a_loss_of_zero_is_judged_as_it_is_and_that_is_said():
    assert type(scale_of("loss", np.array([0.0, 0.1]))) is Plain
    values = {"none": {0: 0.0, 1: 0.1}, "a": {0: 0.2, 1: 0.3}}
    assert decide(values, "none", 0.01, scale="loss", higher_is_better=False).notes == (
        "losses that are not above 0 have no logarithm: they are judged as they are",
    )


def test_nothing_is_said_of_a_comparison_but_what_is_known():
    bare = Comparison("a", "none", "undecided", "because")
    assert (bare.difference, bare.low, bare.seeds, bare.left_out, bare.seeds_needed) == (None, None, 0, (), None)


def test_arms_that_only_the_reference_connects_are_compared_without_it_in_the_pool():
    generator = np.random.default_rng(3)
    wild = dict(enumerate(generator.uniform(0.1, 0.9, 12).tolist()))
    halves = [range(6), range(6), range(6, 12), range(6, 12)]
    values = {"none": wild} | {
        f"a{index}": {seed: 0.5 + 0.001 * float(generator.standard_normal()) for seed in half}
        for index, half in enumerate(halves)
    }
    comparisons = decide(values, "none", 0.005, pairs="all").comparisons
    assert {each.arm: each.method.split(",")[0] for each in comparisons if each.reference == "none"} == dict.fromkeys(
        ["a0", "a1", "a2", "a3"], "own spread"
    )
    together = next(each for each in comparisons if (each.arm, each.reference) == ("a1", "a0"))
    assert together.difference == pytest.approx(
        np.mean([values["a1"][seed] - values["a0"][seed] for seed in range(6)]), abs=1e-5
    )
    assert {each.why for each in comparisons if each.seeds == 0} == {
        f"{arm} and {other} have no seed in common." for arm in ("a2", "a3") for other in ("a0", "a1")
    }
