import numpy as np
import pytest
from scipy import stats

from dropover.lab.judging import critical


@pytest.mark.parametrize(
    ("freedom", "row"),
    [
        (5, [2.57, 3.03, 3.29, 3.48, 3.62]),
        (10, [2.23, 2.57, 2.76, 2.89, 2.99]),
        (20, [2.09, 2.38, 2.54, 2.65, 2.73]),
    ],
)
def test_dunnetts_printed_table_at_five_percent(freedom: int, row: list[float]):
    found = [critical.dunnett(comparisons, freedom, 0.05) for comparisons in range(1, 6)]
    assert found == pytest.approx(row, abs=0.0051)


@pytest.mark.parametrize(("comparisons", "freedom", "correlation"), [(3, 4, 0.5), (5, 10, 0.5), (4, 7, 0.3)])
def test_the_multivariate_t_gives_back_alpha(comparisons: int, freedom: int, correlation: float):
    c = np.full(comparisons, critical.dunnett(comparisons, freedom, 0.02, correlation))
    shape = np.where(np.eye(comparisons, dtype=bool), 1.0, correlation)
    theirs = stats.multivariate_t(shape=shape, df=freedom)
    inside = theirs.cdf(c, lower_limit=-c, maxpts=200_000, random_state=0)
    assert 1 - inside == pytest.approx(0.02, abs=3e-4)


def test_scipys_dunnett_has_the_same_interval_in_the_one_way_case():
    generator = np.random.default_rng(0)
    groups = generator.standard_normal((4, 5))
    theirs = stats.dunnett(*groups[1:], control=groups[0], rng=np.random.default_rng(1)).confidence_interval(0.95)
    error = np.sqrt(groups.var(1, ddof=1).mean() * 2 / 5)
    half = (np.asarray(theirs.high) - np.asarray(theirs.low)) / 2
    assert half == pytest.approx(critical.dunnett(3, 16, 0.05) * error, rel=2e-3)


@pytest.mark.parametrize(("arms", "freedom", "q"), [(2, 10, 3.15), (3, 10, 3.88), (6, 10, 4.91), (4, 20, 3.96)])
def test_the_printed_studentized_range_at_five_percent(arms: int, freedom: int, q: float):
    assert critical.tukey(arms, freedom, 0.05) * np.sqrt(2) == pytest.approx(q, abs=0.0051)


@pytest.mark.parametrize("alpha", [0.05, 1e-4, 1e-8, 1e-12])
def test_between_one_comparison_and_bonferroni_far_out_too(alpha: float):
    c = critical.dunnett(5, 10, alpha)
    assert critical.student(10, alpha) < c <= critical.student(10, alpha / 5) * (1 + 1e-6)
