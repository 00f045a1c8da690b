"""The comparison of attacks, by simulation and against scipy: it seldom accuses the innocent and finds the weak."""

import numpy as np
import pytest
from scipy import stats

from .parity import FALSE_ALARM, WEAKER, chance, differences, is_weaker, weakened

LEVEL = 0.05


@pytest.mark.parametrize(("against", "in_favour"), [(0, 0), (5, 0), (0, 7), (30, 12), (12, 30), (400, 380)])
def test_on_images_it_is_mcnemars_exact_test(against: int, in_favour: int) -> None:
    found = chance([1] * against + [-1] * in_favour + [0] * 50)
    expected = stats.binomtest(against, against + in_favour, alternative="greater").pvalue if against else 1.0
    assert found == pytest.approx(expected, rel=1e-9)


def test_on_batches_it_is_the_exact_sign_flip_test() -> None:
    values = np.array([3, -1, 2, 2, 0, -2, 5, 1])
    flips = np.array(np.meshgrid(*[[-1, 1]] * len(values))).reshape(len(values), -1)
    assert chance(values.tolist()) == pytest.approx(float((values @ flips >= values.sum()).mean()))


def shared_luck(rng: np.random.Generator, rate: float, units: int, size: int) -> np.ndarray:
    """Outcomes of one attack on images whose luck is half their batch's: (units, size)."""
    bar = stats.norm.ppf(rate)
    luck = (rng.normal(size=(units, 1)) + rng.normal(size=(units, size))) / np.sqrt(2)
    return luck < bar


@pytest.mark.parametrize(("units", "size"), [(400, 1), (40, 10)])
def test_equal_attacks_are_accused_as_seldom_as_promised(units: int, size: int) -> None:
    rng, runs = np.random.default_rng(0), 2000
    alarms = 0
    for _ in range(runs):
        ours, other = (shared_luck(rng, 0.6, units, size).ravel().tolist() for _ in range(2))
        alarms += chance(differences(ours, other, size)) < LEVEL
    # Fewer are possible, as sums are whole numbers; more than this, less than once in a million.
    assert stats.binomtest(alarms, runs, LEVEL, alternative="greater").pvalue > 1e-6
    assert alarms > 0.3 * LEVEL * runs


def test_the_level_is_shared_by_all_comparisons() -> None:
    for comparisons in (1, 10):
        count = int(np.ceil(-np.log2(FALSE_ALARM / comparisons)))
        assert is_weaker([1] * count, comparisons)
        assert not is_weaker([1] * (count - 1), comparisons)


def test_weakened_loses_a_twentieth_of_what_the_other_fells() -> None:
    ours, other = [True] * 900 + [False] * 100, [True] * 800 + [False] * 200
    left = weakened(ours, other)
    assert sum(ours) - sum(left) == WEAKER * 800
    assert all(own or not kept for own, kept in zip(ours, left, strict=True))
    lost = [index for index in range(1000) if ours[index] and not left[index]]
    assert lost[0] < 20
    assert lost[-1] >= 780


def test_a_unit_sums_its_images() -> None:
    assert differences([True, False, True, False, False], [True, True, False, True, True], 2) == [1, 0, 1]
