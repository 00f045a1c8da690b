"""docs/verdicts.md has the tables that its simulation makes, and the simulation's own tests are the lab's."""

import re
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from dropover.lab.judging import critical
from dropover.lab.judging import statistics as st

from .documents import DOCS, module_of

simulate = module_of("verdicts", "simulate")


def test_every_table_is_on_the_page_and_filled(simulate: ModuleType):
    text = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    tables = dict(re.findall(r"<!-- (?!end)(.*?) -->\n(.*?)<!-- end -->", text, re.DOTALL))
    assert list(tables) == list(simulate.TABLES)
    assert all(table.count("\n|") > 3 for table in tables.values())


def test_a_table_without_its_place_is_named(simulate: ModuleType):
    with pytest.raises(ValueError, match="has 0 tables named 'power'"):
        simulate.filled("", {"power": []})
    assert simulate.filled("a <!-- x --><!-- end --> b", {"x": ["1"]}) == "a <!-- x -->\n1\n\n<!-- end --> b"


def test_false_alarms_of_few_studies_of_every_kind_are_few(simulate: ModuleType):
    """At 5 % more than 23 of 200 studies come once in 7,000 tables."""
    for kind in simulate.studies.KINDS:
        assert simulate.false_alarms(kind, 200, 6, 3) <= 23 / 200


def test_todays_tests_are_the_labs(simulate: ModuleType):
    y = np.random.default_rng(0).standard_normal((3, 4, 6)) + np.array([0.0, 1.0, 0.0, 2.0])[None, :, None]
    gaps = y[:, 1:] - y[:, :1]
    p = simulate.power._sign_flip(gaps)
    theirs = [[st.sign_flip(arm, np.zeros(6).tolist()) for arm in each] for each in gaps.tolist()]
    assert p == pytest.approx(np.array(theirs))
    assert simulate.power._holm(p) == pytest.approx(np.array([st.holm(row) for row in p.tolist()]))


def test_real_residuals_have_no_mean_and_one_spread(simulate: ModuleType):
    by_kind = {kind.shape: kind for kind in simulate.studies.KINDS}
    for shape in ("real", "real by arm, signs"):
        drawn = by_kind[shape].residuals(np.random.default_rng(0), 20_000, 3, 2)
        assert drawn.mean() == pytest.approx(0.0, abs=0.02)
        assert drawn.std() == pytest.approx(1.0, abs=0.1)


def test_a_study_that_grows_decides_what_one_of_that_size_would(simulate: ModuleType):
    truth = next(iter(simulate.power.TRUTHS.values()))
    looks = simulate.plan(6, 5)
    decided, wrong, trials = simulate.power.followed(truth, looks, 60, np.random.default_rng(0))
    assert 0.15 < decided < 0.6
    assert wrong < 0.2
    assert 6 * 3 <= trials < 6 * 6


def test_arms_without_hope_cost_fewer_trials_and_decide_nothing_more(simulate: ModuleType):
    power = simulate.power
    y, _ = power.ALIKE.make(np.random.default_rng(0), 60, 15)
    looks = simulate.plan(15, 5)
    stays, leaves = (power.decided_at(y, looks, 0.005, leave_without_hope=wanted) for wanted in (False, True))
    assert leaves[2].sum() < stays[2].sum()
    assert np.isfinite(leaves[0]).sum() <= np.isfinite(stays[0]).sum()


def test_residuals_of_one_spread_are_found_at_that_spread_by_the_model(simulate: ModuleType):
    power = simulate.power
    y = power._of_one_spread(np.random.default_rng(0).standard_normal((200, 6, 3)), rounds=power.ROUNDS)
    spreads = simulate.tried._layout(y).spreads
    assert np.median(np.abs(spreads - 1)) < 1e-9
    assert (np.abs(spreads - 1).max(1) < 1e-3).mean() > 0.95


def test_what_was_tried_is_pooling_at_its_end(simulate: ModuleType):
    """The wider of two is no narrower; all variances drawn to the pool's give its interval, by Bonferroni's value."""
    tried, y = simulate.tried, np.random.default_rng(0).standard_normal((300, 6, 3))
    layout, pooled = tried._layout(y), tried.pooled(tried._layout(y))
    found = np.abs(layout.effects[:, 1:] - layout.effects[:, :1]) > pooled
    assert (found == simulate.power.pooled_alone(y)).all()
    assert (tried.wider(2)(layout) >= pooled).all()
    ratio = stats.t.isf(0.05 / 5 / 2, 10) / critical.dunnett(5, 10.0, 0.05)
    assert tried.moderated(1e6)(layout) == pytest.approx(pooled * ratio, rel=1e-4)
