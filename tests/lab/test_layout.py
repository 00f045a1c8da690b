import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from dropover.lab.judging import critical, model
from dropover.lab.judging.statistics import paired_difference


def values(arms: int, seeds: int, seed: int = 0, spreads: object = 1.0) -> model.Floats:
    drawn = np.random.default_rng(seed).standard_normal((1, arms, seeds))
    return drawn * np.broadcast_to(np.asarray(spreads, dtype=float), (arms,))[None, :, None]


def against_first(y: model.Floats, alpha: float = 0.05) -> model.Intervals:
    return model.intervals(y, [(arm, 0) for arm in range(1, y.shape[1])], alpha, np.ones(y.shape[:2], dtype=bool))


@pytest.mark.parametrize("holes", [[], [(1, 2)], [(0, 1), (3, 0), (3, 4), (2, 3)]])
def test_least_squares_is_statsmodels(holes: list[tuple[int, int]]):
    y = values(5, 6)
    for arm, seed in holes:
        y[0, arm, seed] = math.nan
    found = model.fit(y, np.ones((1, 5), dtype=bool))
    table = pd.DataFrame([(f"a{arm}", f"s{seed}", v) for (_, arm, seed), v in np.ndenumerate(y) if math.isfinite(v)])
    theirs = ols("y ~ arm + seed", table.set_axis(["arm", "seed", "y"], axis=1)).fit()
    names = [f"arm[T.a{arm}]" for arm in range(1, 5)]
    effects, cov = found.effects[0], found.covariance[0]
    assert effects[1:] - effects[0] == pytest.approx(theirs.params[names].to_numpy())
    assert found.squares[0] == pytest.approx(theirs.ssr)
    assert found.freedom[0] == theirs.df_resid
    differences = cov[1:, 1:] - cov[1:, :1] - cov[:1, 1:] + cov[0, 0]
    assert differences == pytest.approx(theirs.normalized_cov_params.loc[names, names].to_numpy())


def test_a_complete_layout_has_the_closed_form_and_dunnetts_interval():
    y = np.tile([[[0.1, -0.1, 0.1, -0.1]]], (1, 4, 1)) * np.array([1, -1, 1, -1])[None, :, None]
    y = y + np.array([0.0, 1.0, 2.0, 3.0])[None, :, None] + np.array([5.0, 6.0, 9.0, 2.0])
    found = against_first(y)
    assert found.difference[0] == pytest.approx([1, 2, 3])
    assert found.variance[0, 0] == pytest.approx(16 * 0.01 / 9)
    pooled = critical.dunnett(3, 9, 0.05) * math.sqrt(16 * 0.01 / 9 * 2 / 4)
    assert (found.half[0] >= pooled - 1e-12).all()
    # Arm 2 moves with the reference: by themselves the two hardly spread, and the pooled interval is the wider.
    assert found.half[0][found.pooled[0]] == pytest.approx(pooled)


def test_two_arms_have_the_paired_t_interval():
    y = values(2, 5, 3)
    found = against_first(y)
    theirs = paired_difference(y[0, 1].tolist(), y[0, 0].tolist())
    assert theirs.high is not None
    assert found.difference[0, 0] == pytest.approx(theirs.mean)
    assert found.half[0, 0] == pytest.approx(theirs.high - theirs.mean)


def test_an_arm_with_a_spread_clearly_its_own_leaves_the_pool_and_is_paired():
    y = values(6, 5, spreads=[1, 1, 1, 40, 1, 1])
    found = against_first(y)
    assert found.pool[0].tolist() == [True, True, True, False, True, True]
    d = y[0, 3] - y[0, 0]
    half = stats.t.isf(0.05 / 5 / 2, 4) * d.std(ddof=1) / math.sqrt(5)
    assert found.half[0, 2] == pytest.approx(half)
    without = model.intervals(y[:, [0, 1, 2, 4, 5]], [(1, 0)], 0.01, np.ones((1, 5), dtype=bool))
    assert found.variance[0, 0] == pytest.approx(without.variance[0, 0])


def test_a_clearly_narrower_arm_leaves_it_too():
    spreads = [1.0] * 14
    spreads[2] = 0.001
    assert not against_first(values(14, 12, spreads=spreads)).pool[0, 2]


def test_arms_in_another_order_have_the_same_intervals():
    y = values(5, 4, 2, spreads=[1, 2, 1, 1, 3])
    order = [0, 3, 1, 4, 2]
    first, second = against_first(y), against_first(y[:, order])
    moved = [order.index(arm) - 1 for arm in range(1, 5)]
    assert second.difference[0, moved] == pytest.approx(first.difference[0])
    assert second.half[0, moved] == pytest.approx(first.half[0])


def test_what_is_added_to_a_seed_changes_nothing_and_a_factor_scales():
    y = values(5, 4)
    y[0, 2, 1] = math.nan
    first, second = against_first(y), against_first(-3 * (y + np.array([0.0, 10.0, -4.0, 7.0])))
    assert second.difference == pytest.approx(-3 * first.difference)
    assert second.half == pytest.approx(3 * first.half)


def test_many_studies_at_once_are_each_as_alone():
    y = np.concatenate([values(4, 5, seed, spreads=[1, 1, 9, 1]) for seed in range(20)])
    y[3, 1, 2:] = math.nan
    together = against_first(y)
    alone = [against_first(y[index : index + 1]).half[0] for index in range(20)]
    assert together.half == pytest.approx(np.array(alone))


@pytest.mark.parametrize("spreads", [[1, 1, 1, 1, 1, 1], [4, 1, 1, 1, 1, 1], [1, 1, 1, 4, 4, 4]])
def test_false_alarms_stay_below_five_percent(spreads: list[float]):
    """Of 2,000 null studies at most 131 may have one; at a rate of 5 % more come in one of 1,000 such tests."""
    studies = 2000
    most = int(stats.binom.isf(1e-3, studies, 0.05))
    y = np.random.default_rng(7).standard_normal((studies, 6, 3)) * np.array(spreads)[None, :, None]
    found = against_first(y)
    assert 0 < (np.abs(found.difference) > found.half).any(1).sum() <= most == 131
