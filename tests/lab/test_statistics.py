import gc
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dropover.lab.judging import statistics as st

A = [0.978, 0.981, 0.975, 0.979, 0.983, 0.980]
B = [0.974, 0.976, 0.977, 0.973, 0.975, 0.978]
accuracies = some.lists(some.integers(0, 1000).map(lambda right: right / 1000), min_size=2, max_size=8)


def test_spread_is_the_sample_standard_deviation_and_needs_two_values():
    assert st.spread([0.1, 0.2, 0.3]) == pytest.approx(0.1)
    assert st.spread([0.5]) is None


def test_student_t_is_scipys():
    assert st.student_t(A, B) == pytest.approx(float(stats.ttest_ind(A, B, equal_var=True).pvalue))
    assert st.student_t(A, B[:3]) == pytest.approx(float(stats.ttest_ind(A, B[:3], equal_var=True).pvalue))


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [([0.5], [0.4], None), ([0.5, 0.5], [0.5, 0.5], 1.0), ([0.5, 0.5], [0.4, 0.4], 0.0), ([0.1] * 3, [0.1] * 3, 1.0)],
)
def test_student_t_without_spread(a: list[float], b: list[float], p: float | None):
    assert st.student_t(a, b) == p


def test_paired_difference_is_scipys_one_sample_interval():
    found = st.paired_difference(A, B)
    interval = stats.ttest_1samp(np.subtract(A, B), 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.mean, found.n) == (pytest.approx(np.mean(A) - np.mean(B)), 6)


def test_one_pair_has_a_difference_and_no_interval():
    assert st.paired_difference([0.9], [0.8]) == st.Difference(pytest.approx(0.1), None, None, None, 1)


def test_pairs_must_match():
    with pytest.raises(ValueError, match="pairs are needed: got 2 and 1 values"):
        st.paired_difference([0.1, 0.2], [0.1])


@given(accuracies)
def test_sign_flip_counts_the_sign_patterns(a: list[float]):
    b = [0.5] * len(a)
    whole = [round(1000 * (x - y)) for x, y in zip(a, b, strict=True)]
    patterns = list(itertools.product([1, -1], repeat=len(whole)))
    extreme = sum(abs(sum(s * d for s, d in zip(p, whole, strict=True))) >= abs(sum(whole)) for p in patterns)
    assert st.sign_flip(a, b) == extreme / len(patterns)


def test_sign_flip_is_scipys_exact_permutation_test():
    theirs = stats.permutation_test((A, B), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf)
    assert st.sign_flip(A, B) == pytest.approx(float(theirs.pvalue))


@pytest.mark.parametrize("n", [1, 2, 3, 6, 10])
def test_the_smallest_p_is_reached_when_every_pair_agrees(n: int):
    assert st.sign_flip([0.9] * n, [0.5] * n) == st.smallest_possible_p(n)


def test_sign_flip_refuses_what_it_cannot_enumerate():
    with pytest.raises(ValueError, match="20 pairs at most, got 21"):
        st.sign_flip([0.1] * 21, [0.2] * 21)


def test_six_pairs_are_needed_and_eight_for_five_arms():
    assert (st.pairs_needed(), st.pairs_needed(5)) == (6, 8)
    assert st.smallest_possible_p(5) >= 0.05 > st.smallest_possible_p(6)


def test_holm_worked_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never below the one before.
    assert st.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert st.holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert st.holm([]) == []


@pytest.fixture(scope="module")
def frozen() -> Iterator[None]:
    """statsmodels collects all garbage at every call: what is there already is left out, which takes long."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
@given(some.lists(some.integers(0, 30).map(lambda p: p / 30) | some.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_statsmodels(ps: list[float]):
    assert st.holm(ps) == multipletests(ps, method="holm")[1].tolist()


def test_detectable_effect_is_found_four_times_in_five():
    generator = np.random.default_rng(0)
    n, std = 5, 0.02
    effect = st.detectable_effect(std, n)
    draws = generator.normal(effect, std, size=(20_000, n))
    found = stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("n", [2, 3, 10, 50])
def test_detectable_effect_scales_with_the_spread(n: int):
    one = st.detectable_effect(1.0, n)
    assert one is not None
    assert math.isfinite(one)
    assert st.detectable_effect(0.01, n) == pytest.approx(one / 100)
    assert st.detectable_effect(0.0, n) == 0.0


def test_one_pair_detects_nothing():
    assert st.detectable_effect(0.1, 1) is None


def test_binomial_error_is_near_the_textbook_one_and_above_zero_at_the_edge():
    assert st.binomial_error(0.3, 10_000) == pytest.approx(math.sqrt(0.3 * 0.7 / 10_000), rel=0.01)
    assert st.binomial_error(0.0, 100) > 0
