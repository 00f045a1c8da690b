"""The comparison of attacks, by simulation and against scipy: it seldom accuses the innocent and finds the weak."""

import numpy as np
import pytest
from scipy import stats

from .parity import COMPARISONS, FALSE_ALARM, WEAKER, chance, differences, is_weaker, weakened

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


def common_luck(rng: np.random.Generator, units: int, size: int, shared: float) -> np.ndarray:
    """Standard normal luck of each image (units, size), of whose variance `shared` is that of its unit."""
    return shared**0.5 * rng.normal(size=(units, 1)) + (1 - shared) ** 0.5 * rng.normal(size=(units, size))


@pytest.mark.parametrize(("units", "size"), [(400, 1), (40, 10)])
def test_equal_attacks_are_accused_as_seldom_as_promised(units: int, size: int) -> None:
    rng, runs = np.random.default_rng(0), 2000
    alarms = 0
    for _ in range(runs):
        ours, other = ((common_luck(rng, units, size, 0.5) < 0.25).ravel().tolist() for _ in range(2))
        alarms += chance(differences(ours, other, size)) < LEVEL
    # Fewer are possible, as sums are whole numbers; more than this, less than once in a million.
    assert stats.binomtest(alarms, runs, LEVEL, alternative="greater").pvalue > 1e-6
    assert alarms > 0.3 * LEVEL * runs


def test_the_level_is_shared_by_all_comparisons() -> None:
    # Where only the other fells images, all signs have to agree; below 100 images none is forgiven.
    count = int(np.ceil(-np.log2(FALSE_ALARM / COMPARISONS)))
    assert is_weaker([False] * count, [True] * count)
    assert not is_weaker([False] * (count - 1), [True] * (count - 1))


def test_one_image_in_a_hundred_is_forgiven() -> None:
    other = [True] * 10_000
    assert not is_weaker([False] * 100 + [True] * 9_900, other)
    assert is_weaker([False] * 200 + [True] * 9_800, other)
    assert chance([1] * 10, forgiven=20) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("units", "size", "felled", "luck", "shared", "odd"),
    [
        # Gradient attacks from the same starts: of 2,000 images at least 0.7 fall, at most 0.003 to one alone.
        (2000, 1, 0.7, 0.02, 0.0, 0.003),
        # Square: of 136 batches of 25, 0.96 of the images fall, 0.015 to one search alone.
        (136, 25, 0.96, 0.4, 0.4, 0.015),
    ],
)
def test_a_weaker_attack_is_found(units: int, size: int, felled: float, luck: float, shared: float, odd: float) -> None:
    rng, runs, found, alone = np.random.default_rng(0), 300, 0, 0.0
    bar = stats.norm.ppf(felled)
    for _ in range(runs):
        # Both meet images of the same strength; `shared` of a search's luck is its batch's.
        strength = rng.normal(size=(units, size))
        ours, other = (
            (strength + luck * common_luck(rng, units, size, shared) < bar).ravel().tolist() for _ in range(2)
        )
        alone += float(np.mean(np.array(ours) & ~np.array(other))) / runs
        found += is_weaker(weakened(ours, other), other, size)
    assert alone > odd
    assert found >= 0.95 * runs


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
