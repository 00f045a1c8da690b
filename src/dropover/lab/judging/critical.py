"""Critical values of simultaneous comparisons: how many standard errors an interval takes so that all hold together."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Floats = npt.NDArray[np.float64]

SHARED, SHARED_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(160)
FARTHEST = 9.0
"""Where the normal density ends for an integral."""
LEAST = 1e-9
"""Below this alpha Bonferroni's value is taken: nothing is lost there, and the quadrature ends."""


@lru_cache(maxsize=4096)
def dunnett(comparisons: int, freedom: float, alpha: float, correlation: float = 0.5) -> float:
    """The c that |t| of any of several comparisons with one reference passes with probability alpha (Dunnett 1955).

    The two-sided quantile of the multivariate t whose correlations are all the same, by quadrature, so that it is exact
    far out in the tail too. In a complete layout every correlation is 1/2; where they differ, the lowest gives a c that
    is no smaller than the exact one.
    """
    shared, rest = np.sqrt(correlation) * SHARED, np.sqrt(1 - correlation)

    def beyond(limits: Floats) -> Floats:
        # Given what the comparisons share, they are independent.
        outside = special.ndtr((shared - limits[:, None]) / rest) + special.ndtr((-shared - limits[:, None]) / rest)
        any_outside = -np.expm1(comparisons * np.log1p(-np.minimum(outside, 1 - 1e-16)))
        return np.asarray(any_outside @ SHARED_WEIGHTS / SHARED_WEIGHTS.sum())

    return _quantile(beyond, comparisons, freedom, alpha)


@lru_cache(maxsize=4096)
def tukey(arms: int, freedom: float, alpha: float) -> float:
    """The same for all pairs of arms: the studentized range, over √2 for a difference (Tukey; Kramer 1956).

    scipy's quantile is the same and takes seconds.
    """
    z = FARTHEST * NODES
    below = special.ndtr(z)
    density = arms * stats.norm.pdf(z) * FARTHEST * WEIGHTS

    def beyond(limits: Floats) -> Floats:
        within = below - special.ndtr(z - np.sqrt(2) * limits[:, None])
        return np.asarray((below ** (arms - 1) - within ** (arms - 1)) @ density)

    return _quantile(beyond, arms * (arms - 1) // 2, freedom, alpha)


@lru_cache(maxsize=4096)
def student(freedom: float, alpha: float) -> float:
    """The same for one comparison: Student's two-sided quantile."""
    return float(-special.stdtrit(freedom, alpha / 2))


def _quantile(beyond: Callable[[Floats], Floats], comparisons: int, freedom: float, alpha: float) -> float:
    """Where the probability that any comparison is beyond c is alpha, between Student's value and Bonferroni's.

    `beyond` gives it for a known spread; over the spread's estimate it is integrated on a logarithmic axis.
    """
    least, most = student(freedom, alpha), student(freedom, alpha / comparisons)
    if comparisons == 1 or alpha < LEAST:
        return most
    low, high = (0.5 * float(np.log(stats.chi2.ppf(q, freedom) / freedom)) for q in (1e-14, 1 - 1e-14))
    log_s = low + (high - low) * (NODES + 1) / 2
    chi = freedom * np.exp(2 * log_s)
    density = stats.chi2.pdf(chi, freedom) * chi * (high - low) * WEIGHTS

    def excess(log_c: float) -> float:
        return float(np.log(density @ beyond(np.exp(log_c + log_s)) / alpha))

    return float(np.exp(optimize.brentq(excess, np.log(least) - 0.05, np.log(most) + 0.05, xtol=1e-10)))
