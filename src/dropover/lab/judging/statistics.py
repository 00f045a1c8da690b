"""What a handful of seeds can and can't say: spread, intervals, tests, and the effect they could have found."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

ALPHA = 0.05
TINY = 1e-12
"""Below this a difference of shares, or of anything by its largest value, is rounding."""
MOST_PAIRS = 20
"""How many pairs the exact test enumerates; with more, the t interval is as good."""


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences with its 95 % t interval; the interval is None for a single pair."""

    mean: float
    low: float | None
    high: float | None
    std: float | None
    n: int


def spread(values: Sequence[float]) -> float | None:
    """Sample standard deviation (n − 1 in the denominator), or None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def student_t(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p of Student's unpaired, equal-variance t-test, as the FDD paper has it (its †).

    It treats seeds as unrelated and a handful of accuracies as normal. None where a group has one value.
    """
    if len(a) < 2 or len(b) < 2:
        return None
    means, stds = [float(np.mean(group)) for group in (a, b)], [float(np.std(group, ddof=1)) for group in (a, b)]
    if max(stds) < TINY:  # the test itself would divide by zero
        return 1.0 if abs(means[0] - means[1]) < TINY else 0.0
    # From these numbers: given the values, scipy warns where they are nearly alike, as accuracies of a few images are.
    return float(stats.ttest_ind_from_stats(means[0], stds[0], len(a), means[1], stds[1], len(b)).pvalue)


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Mean of a − b over pairs, with its 95 % t interval."""
    d = _differences(a, b)
    mean, std, n = float(d.mean()), spread(d.tolist()), len(d)
    if std is None:
        return Difference(mean, None, None, None, n)
    low, high = stats.t.interval(1 - ALPHA, n - 1, mean, std / math.sqrt(n)) if std else (mean, mean)
    return Difference(mean, float(low), float(high), std, n)


def sign_flip(a: Sequence[float], b: Sequence[float]) -> float:
    """Exact two-sided p of the paired sign-flip test: the share of the 2ⁿ sign patterns at least as extreme.

    It assumes only that, were there no difference, each pair could as well have come the other way round.
    Differences of accuracies are taken at a resolution of 1e-9, so that rounding breaks no tie. More than
    `MOST_PAIRS` raise `ValueError`.
    """
    d = np.round(_differences(a, b) * 1e9)
    if len(d) > MOST_PAIRS:
        raise ValueError(f"the exact sign-flip test is for {MOST_PAIRS} pairs at most, got {len(d)}")
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    return float(np.mean(np.abs(sums) >= abs(d.sum())))


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of paired values: by `sign_flip` up to `MOST_PAIRS` pairs, beyond that by the paired t-test."""
    if len(a) <= MOST_PAIRS:
        return sign_flip(a, b)
    return float(stats.ttest_rel(a, b).pvalue)


def smallest_possible_p(n: int) -> float:
    """The smallest two-sided p that the exact test can give with n pairs: two patterns of 2ⁿ."""
    return min(1.0, 2.0 ** (1 - n))


def pairs_needed(tests: int = 1, alpha: float = ALPHA) -> int:
    """The fewest pairs with which the exact test can fall below alpha after Holm's correction for that many tests."""
    return next(n for n in itertools.count(1) if smallest_possible_p(n) * tests < alpha)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given (Holm 1979)."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for smaller, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, ps[place] * (len(ps) - smaller)))
        adjusted[place] = largest
    return adjusted


def detectable_effect(std_of_differences: float, n: int) -> float | None:
    """The true mean difference that a paired t-test at 0.05 finds in 80 % of cases from n pairs; None for one pair."""
    if n < 2:
        return None
    critical = stats.t.isf(ALPHA / 2, n - 1)
    # The tail on the wrong side is below 1e-9 at this power, and scipy loses it to underflow.
    shift = optimize.brentq(lambda nc: stats.nct.sf(critical, n - 1, nc) - 0.8, 0.0, 100.0)
    return float(shift) * std_of_differences / math.sqrt(n)


def binomial_error(share: float, n: int) -> float:
    """Standard error of a share of n independent images, kept above 0 at the edges (Agresti & Coull's shift)."""
    shifted = (share * n + 2) / (n + 4)
    return math.sqrt(shifted * (1 - shifted) / (n + 4))


def _differences(a: Sequence[float], b: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if len(a) != len(b) or not a:
        raise ValueError(f"pairs are needed: got {len(a)} and {len(b)} values")
    return np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
