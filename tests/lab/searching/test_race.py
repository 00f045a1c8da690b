"""The front, and who may still be on it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropover.lab.searching import race

GAINS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda pair: (float(pair[0]), float(pair[1])))
VALUES = st.dictionaries(st.sampled_from("abcdefgh"), GAINS, min_size=1)


@given(VALUES)
def test_an_arm_is_on_the_front_or_one_that_is_there_dominates_it(values: dict[str, tuple[float, ...]]) -> None:
    front = race.front(values)
    assert front
    for arm, gains in values.items():
        beaten = any(race.dominates(values[other], gains) for other in front)
        assert beaten == (arm not in front)


@given(VALUES)
def test_ranks_hold_every_arm_once_and_no_arm_before_one_that_dominates_it(
    values: dict[str, tuple[float, ...]],
) -> None:
    order = race.ranked(values)
    assert sorted(order) == sorted(values)
    for place, arm in enumerate(order):
        assert not any(race.dominates(values[later], values[arm]) for later in order[place:])


def drawn(
    means: dict[str, tuple[float, float]], seeds: int, std: float, seed: int
) -> dict[str, dict[int, tuple[float, ...]]]:
    random = Random(seed)
    return {
        arm: {each: tuple(mean + random.gauss(0, std) for mean in pair) for each in range(seeds)}
        for arm, pair in means.items()
    }


def test_the_noise_is_that_of_differences_between_arms() -> None:
    scores = drawn({"none": (0.5, 0.5), **{f"arm {i}": (0.5, 0.4) for i in range(60)}}, seeds=6, std=0.01, seed=0)
    for std in race.noise(scores, "none"):
        # The reference's own draws are in all of these differences.
        assert 0.006 < std < 0.022


def test_what_is_far_worse_everywhere_is_out_and_what_trades_one_for_the_other_stays() -> None:
    means = {"none": (0.5, 0.5), "worse": (0.3, 0.3), "trades": (0.3, 0.9), "like": (0.5, 0.5)}
    scores = drawn(means, seeds=3, std=0.01, seed=1)
    able = race.contenders(scores, ["worse", "trades", "like"], "none")
    assert set(able) >= {"trades"}
    assert "worse" not in able


def test_the_best_arm_is_seldom_thrown_out_by_chance() -> None:
    kept = 0
    for seed in range(100):
        scores = drawn(
            {"none": (0.5, 0.5), "best": (0.51, 0.51), **{f"{i}": (0.5, 0.5) for i in range(20)}}, 1, 0.01, seed
        )
        scores["none"] = drawn({"none": (0.5, 0.5)}, 5, 0.01, 1000 + seed)["none"]
        kept += "best" in race.contenders(scores, [arm for arm in scores if arm != "none"], "none")
    assert kept >= 90


def test_without_any_noise_known_everyone_may_be_best() -> None:
    scores = drawn({"none": (0.5, 0.5), "worse": (0.1, 0.1)}, seeds=1, std=0.0, seed=0)
    assert race.contenders(scores, ["worse"], "none") == ["worse"]


@pytest.mark.parametrize("seeds", [1, 4])
def test_means_are_over_the_seeds_that_are_asked_for(seeds: int) -> None:
    scores = {"a": {seed: (float(seed),) for seed in range(8)}}
    assert race.means(scores, ["a"], range(seeds)) == {"a": ((seeds - 1) / 2,)}
