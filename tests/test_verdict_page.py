"""docs/verdicts.md has the tables that its simulation makes, and the simulation's own tests are the lab's."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dropover.lab.judging import statistics as st

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def simulate() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "verdicts"))
        import simulate

        yield simulate


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
