"""Critical values of simultaneous comparisons: how many standard errors an interval takes so that all hold together."""

from functools import lru_cache

import numpy as np
from scipy import optimize, stats

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
SPREADS, SPREAD_WEIGHTS = np.polynomial.legendre.leggauss(160)


@lru_cache(maxsize=4096)
def dunnett(comparisons: int, freedom: float, alpha: float, correlation: float = 0.5) -> float:
    """The c that |t| of any of several comparisons with one reference passes with probability alpha (Dunnett 1955).

    The two-sided quantile of the multivariate t whose correlations are all the same, by quadrature, so that it is exact
    far out in the tail too. In a complete layout every correlation is 1/2; where they differ, the lowest gives a c that
    is no smaller than the exact one.
    """
    if comparisons == 1:
        return student(freedom, alpha)

    def excess(log_c: float) -> float:
        return float(np.log(_beyond(float(np.exp(log_c)), comparisons, freedom, correlation) / alpha))

    bonferroni = float(np.log(student(freedom, alpha / comparisons)))
    single = float(np.log(student(freedom, alpha)))
    return float(np.exp(optimize.brentq(excess, single - 1e-9, bonferroni + 1e-6, xtol=1e-10)))


@lru_cache(maxsize=4096)
def tukey(arms: int, freedom: float, alpha: float) -> float:
    """The same for all pairs of arms: the studentized range, over √2 for a difference (Tukey; Kramer 1956)."""
    if arms == 2:
        return student(freedom, alpha)
    return float(stats.studentized_range.isf(alpha, arms, freedom)) / float(np.sqrt(2))


@lru_cache(maxsize=4096)
def student(freedom: float, alpha: float) -> float:
    """The same for one comparison: Student's two-sided quantile."""
    return float(stats.t.isf(alpha / 2, freedom))


def _beyond(c: float, comparisons: int, freedom: float, correlation: float) -> float:
    """The probability that one of the |t| is beyond c.

    Given the standard error's factor and what the comparisons share, they are independent: two integrals are left, over
    the logarithm of the factor and over the shared normal.
    """
    low, high = (0.5 * float(np.log(stats.chi2.ppf(q, freedom) / freedom)) for q in (1e-14, 1 - 1e-14))
    log_s = low + (high - low) * (SPREADS + 1) / 2
    chi = freedom * np.exp(2 * log_s)
    density = stats.chi2.pdf(chi, freedom) * 2 * chi * (high - low) / 2 * SPREAD_WEIGHTS
    limit, shared, rest = c * np.exp(log_s)[:, None], np.sqrt(correlation) * NODES, np.sqrt(1 - correlation)
    outside = stats.norm.sf((limit - shared) / rest) + stats.norm.sf((limit + shared) / rest)
    any_outside = -np.expm1(comparisons * np.log1p(-np.minimum(outside, 1 - 1e-16)))
    return float(density @ any_outside @ WEIGHTS / WEIGHTS.sum())
