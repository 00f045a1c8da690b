import math

import numpy as np
import pytest
from scipy import stats

from dropover.lab.judging import looks
from dropover.lab.judging.looks import Look, follow, plan

ORDER = list(range(30))
ARMS = {"none": 0.95, "worse": 0.90, "near": 0.953, "same": 0.95}


def runs(seeds: dict[str, int], spread: float = 0.005) -> dict[str, dict[int, float]]:
    generator = np.random.default_rng(0)
    every = {arm: mean + spread * generator.standard_normal(len(ORDER)) for arm, mean in ARMS.items()}
    return {arm: dict(enumerate(every[arm][: seeds.get(arm, 0)].tolist())) for arm in ARMS}


def everyone(seeds: int) -> dict[str, int]:
    return dict.fromkeys(ARMS, seeds)


def bounds(spending: looks.Spending, alpha: float = 0.05) -> list[float]:
    return [stats.norm.isf(level / 2) for level in looks._levels((1, 2, 3, 4, 5), alpha, spending)]


def test_the_printed_bounds_of_lan_and_demets_at_five_looks():
    pocock = bounds(lambda share, alpha: alpha * math.log(1 + (math.e - 1) * share))
    assert pocock == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=1e-3)
    obrien_fleming = bounds(lambda share, alpha: 4 * stats.norm.sf(stats.norm.isf(alpha / 4) / math.sqrt(share)))
    assert obrien_fleming == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=1e-3)


def test_the_looks_grow_and_end_at_the_most_seeds():
    assert [look.seeds for look in plan(30, 5)] == [3, 4, 6, 8, 11, 15, 20, 26, 30]
    assert [look.seeds for look in plan(2, 5)] == [2]
    assert plan(3, 5)[0].alpha == pytest.approx(0.05)


def test_a_walk_passes_the_bounds_as_often_as_alpha():
    """Of 20,000 walks about 1,000 pass; beyond 4 standard errors comes once in 16,000 such tests."""
    walks, schedule = 20_000, plan(30, 1)
    steps = np.random.default_rng(1).standard_normal((walks, 30)).cumsum(1)
    z = np.stack([np.abs(steps[:, look.seeds - 1]) / math.sqrt(look.seeds) for look in schedule])
    passed = (z > np.array([stats.norm.isf(look.alpha / 2) for look in schedule])[:, None]).any(0).mean()
    assert passed == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / walks))


def test_before_the_first_look_every_arm_needs_its_seeds():
    progress = follow(runs(everyone(2)), "none", 0.005, plan(30, 3), ORDER)
    assert (progress.seen, progress.planned, progress.needed) == (0, 9, everyone(3))
    assert {each.verdict for each in progress.decision.comparisons} == {"undecided"}
    assert progress.decision.comparisons[0].why == "The first look is at 3 seeds."


def test_a_decided_arm_needs_no_more_seeds_and_stays_as_it_was():
    schedule = plan(30, 3)
    progress = follow(runs(everyone(4)), "none", 0.005, schedule, ORDER)
    assert [each.arm for each in progress.decision.of("worse")] == ["worse"]
    assert progress.needed == {"none": 6, "near": 6, "same": 6}
    then = follow(runs({"none": 30, "near": 30, "same": 30, "worse": 4}), "none", 0.005, schedule, ORDER)
    first, second = progress.decision.comparisons[0], then.decision.comparisons[0]
    assert first == second
    assert then.needed == {}


def test_an_interrupted_study_takes_the_same_looks():
    schedule = plan(30, 3)
    at_once = follow(runs(everyone(30)), "none", 0.01, schedule, ORDER)
    seeds: dict[str, int] = {}
    while True:
        progress = follow(runs(seeds), "none", 0.01, schedule, ORDER)
        if not progress.needed:
            break
        seeds |= progress.needed
    assert progress.decision == at_once.decision
    assert sum(seeds.values()) < 4 * 30


def test_a_trial_that_failed_has_been_run():
    values = runs(everyone(3))
    values["near"][1] = math.nan
    progress = follow(values, "none", 0.005, plan(30, 3), ORDER)
    assert progress.seen == 1
    assert progress.decision.comparisons[1].left_out == (1,)


def test_seeds_that_no_look_asked_for_have_no_part():
    few = follow(runs(everyone(4)), "none", 0.005, plan(30, 3), ORDER)
    more = follow(runs(everyone(5)), "none", 0.005, plan(30, 3), ORDER)
    assert few == more


@pytest.mark.parametrize(
    ("most", "comparisons", "message"),
    [(1, 3, "looks need at least 2 seeds, got 1"), (30, 0, "looks need at least one comparison, got 0")],
)
def test_a_plan_that_cannot_be_is_refused(most: int, comparisons: int, message: str):
    with pytest.raises(ValueError, match=message):
        plan(most, comparisons)


def test_the_order_has_a_seed_for_every_look():
    with pytest.raises(ValueError, match="the last look is at 30 seeds, the order has 3"):
        follow(runs(everyone(3)), "none", 0.005, [Look(30, 0.05)], [0, 1, 2])
