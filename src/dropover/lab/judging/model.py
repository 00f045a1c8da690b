"""The model of a study: arms × seeds, a two-way layout. It gives every comparison an interval; all hold together.

A value is its arm's effect, its seed's, and a residual. Where residuals spread alike in every arm they are pooled, and
the comparisons are Dunnett's (with a reference) or Tukey–Kramer's (all pairs). Nobody knows that they spread alike, and
a few seeds can't tell; so the pooled interval has a second one beside it, from the two arms alone, and the wider of
both counts. An arm whose spread is clearly its own has no part in the pool and is compared by the paired differences.

All arrays may have studies in front: values are (studies, arms, seeds), NaN where a trial is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from dropover.lab.judging import critical

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CLEARLY = 0.01
"""An arm's spread is its own where equal spreads give so small a p, two-sided, after Bonferroni's correction."""
NO_SPREAD = 1e-24
"""A variance below this is rounding."""


@dataclass(frozen=True)
class Layout:
    """The two-way layout of some of the arms, fitted by least squares."""

    effects: Floats
    """(studies, arms): up to a constant, 0 for arms outside."""
    covariance: Floats
    """(studies, arms, arms): of the effects, for a residual variance of 1; for differences of arms only."""
    squares: Floats
    """(studies,): the sum of squared residuals."""
    freedom: Floats
    """(studies,): its degrees of freedom, 0 or more."""
    spreads: Floats
    """(studies, arms): the residual variance of each arm by itself."""
    counts: Floats
    """(studies, arms): its values that share a seed with another arm's."""

    @property
    def variance(self) -> Floats:
        """The pooled residual variance; 0 where no degree of freedom is left."""
        return self.squares / np.maximum(self.freedom, 1)


@dataclass(frozen=True)
class Intervals:
    """Comparisons of arms; all arrays are (studies, comparisons) where nothing else is said."""

    difference: Floats
    half: Floats
    """How far the interval goes to each side; NaN where there is no spread to judge by."""
    inside: Bools
    """Whether both arms are in the pool."""
    pooled: Bools
    """Whether the pooled spread made the interval, and not the two arms' own."""
    variance: Floats
    """(studies, 1): the pooled variance of one value."""
    freedom: Floats
    """(studies, 1): its degrees of freedom."""
    own_variance: Floats
    """The variance of one value by the two arms alone."""
    own_freedom: Floats
    pairs: Floats
    """How many seeds both arms have."""
    pool: Bools
    """(studies, arms): which arms are in the pool."""


def fit(values: Floats, within: Bools) -> Layout:
    """Least squares of arm and seed effects over the arms `within` (studies, arms); they must be connected by seeds."""
    there = np.isfinite(values) & within[:, :, None]
    seen = there.sum(1)
    there &= (seen > 1)[:, None, :]
    seen = np.maximum(there.sum(1), 1)
    y = np.where(there, values, 0.0)
    y = np.where(there, y - (y.sum(1) / seen)[:, None, :], 0.0)
    counts = there.sum(2).astype(np.float64)
    arms = within.sum(1)
    held = there.astype(np.float64)
    # The seeds' effects are eliminated; what is left fixes the arms' up to a constant, which the last term sets.
    together = within[:, :, None] & within[:, None, :]
    information = np.eye(values.shape[1]) * np.where(within, counts, 1.0)[:, :, None]
    information += together / arms[:, None, None] - np.einsum("ias,ibs->iab", held / seen[:, None, :], held)
    # Where an arm that alone connected others has left the pool, only arms that share seeds can be compared.
    covariance = np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)
    effects = np.einsum("iab,ib->ia", covariance, y.sum(2))
    fitted = np.where(there, effects[:, :, None], 0.0)
    residuals = np.where(there, y - fitted + (fitted.sum(1) / seen)[:, None, :], 0.0)
    squares = (residuals**2).sum(2)
    freedom = counts.sum(1) - (there.any(1)).sum(1) - (arms - 1)
    share = np.where(there, 1 - 1 / seen[:, None, :], 0.0).sum(2) * (counts - 1) / np.maximum(counts, 1)
    spreads = squares / np.where(share > 0, share, np.inf)
    return Layout(effects, covariance, squares.sum(1), np.maximum(freedom, 0.0), spreads, counts)


def pool(values: Floats, within: Bools) -> tuple[Bools, Layout]:
    """The arms that spread alike, and their layout.

    One arm at a time leaves, the one whose spread is least like the others', while the F-test of its residuals against
    theirs says that equal spreads give such a ratio, up or down, in fewer than `CLEARLY` of studies. Two always stay.
    """
    inside = within.copy()
    active = np.arange(len(values))
    while len(active):
        part = fit(values[active], inside[active])
        freedom = np.maximum(part.counts - 1, 0)
        others = np.maximum(part.freedom[:, None] - freedom, 0)
        left = np.maximum(part.squares[:, None] - part.spreads * freedom, 0.0)
        varies = part.spreads > NO_SPREAD
        able = inside[active] & varies & (freedom > 0) & (others > 0) & (inside[active].sum(1) > 2)[:, None]
        ratio = np.where(able, part.spreads, 0.0) / np.maximum(left / np.maximum(others, 1), NO_SPREAD)
        above = special.fdtrc(np.maximum(freedom, 1), np.maximum(others, 1), ratio)
        p = np.where(able, 2 * np.minimum(above, 1 - above), 1.0)
        first = p.argmin(1)
        leaves = p.min(1) < CLEARLY / inside[active].sum(1)
        inside[active[leaves], first[leaves]] = False
        active = active[leaves]
    return inside, fit(values, inside)


def intervals(values: Floats, pairs: Sequence[tuple[int, int]], alpha: float, within: Bools) -> Intervals:
    """Simultaneous intervals of the differences of pairs of arms (first − second).

    In the pool, the wider of two: the pooled one, simultaneous by Dunnett's or (where the pairs are all pairs)
    Tukey–Kramer's critical value; and one by the residuals of the two arms alone, with Welch's degrees of freedom, at
    alpha / `own_share`. Out of the pool, paired t with Bonferroni's correction. The pool's comparisons together have
    their share of alpha.

    Args:
        values: (studies, arms, seeds), NaN where a trial is missing.
        pairs: The comparisons.
        alpha: The probability that any interval leaves out the truth.
        within: (studies, arms): the arms that have values.
    """
    family = len(pairs)
    inside_arms, layout = pool(values, within)
    a, b = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    inside = inside_arms[:, a] & inside_arms[:, b]
    gaps = values[:, a] - values[:, b]
    both = np.isfinite(gaps)
    n = both.sum(2).astype(np.float64)
    mean = np.where(both, gaps, 0.0).sum(2) / np.maximum(n, 1)
    paired_variance = np.where(both, (gaps - mean[:, :, None]) ** 2, 0.0).sum(2) / np.maximum(n - 1, 1)

    diagonal = np.einsum("iaa->ia", layout.covariance)
    width = np.maximum(diagonal[:, a] + diagonal[:, b] - 2 * layout.covariance[:, a, b], 0.0)
    va, vb = layout.spreads[:, a], layout.spreads[:, b]
    # Of two or three arms, residuals say little of one arm's spread.
    few = inside_arms.sum(1, keepdims=True) <= 3
    by_residuals = np.where(few, np.maximum(va + vb, paired_variance), va + vb)
    own_variance = np.where(inside, by_residuals, paired_variance) / 2
    own_freedom = np.where(inside, _welch(va, vb, layout.counts[:, a] - 1, inside_arms.sum(1)[:, None]), n - 1)
    of_pool = layout.variance[:, None]
    share = alpha * inside.sum(1) / family
    everyone = len({pair[1] for pair in pairs}) > 1
    c_pool = _pool_critical(layout, inside_arms, inside, share, pairs, everyone)
    level = alpha / np.where(inside, own_share(n, family), family)
    c_own = -special.stdtrit(np.maximum(own_freedom, 1e-9), level / 2)
    pooled_half = c_pool * np.sqrt(of_pool * width)
    own_half = c_own * np.sqrt(own_variance * np.where(inside, width, 2 / np.maximum(n, 1)))
    use_pool = inside & (pooled_half >= own_half)
    half = np.where(use_pool, pooled_half, own_half)
    judged = (n > 1) & np.where(inside, of_pool > NO_SPREAD, own_variance > NO_SPREAD)
    return Intervals(
        difference=np.where(inside, layout.effects[:, a] - layout.effects[:, b], mean),
        half=np.where(judged, half, np.nan),
        inside=inside,
        pooled=use_pool,
        variance=of_pool,
        freedom=layout.freedom[:, None],
        own_variance=own_variance,
        own_freedom=own_freedom,
        pairs=n,
        pool=inside_arms,
    )


def own_share(seeds: Floats, family: int) -> Floats:
    """By what alpha is divided for the interval that the two arms give by themselves, beside the pooled one.

    With many seeds by the number of comparisons, so that it holds without any pooling. With few it would hardly ever be
    the narrower one, and less is enough: spreads so unlike that pooling misleads are seldom misjudged from two arms as
    well. The more comparisons, the more of them may be misled at once. That these figures keep false alarms below alpha
    is shown in docs/verdicts.md; a smaller share finds more with three seeds, and does not.
    """
    return np.clip((seeds - 1) / 2 + family / 5, min(2, family), family)


def _welch(va: Floats, vb: Floats, freedom: Floats, arms: npt.NDArray[np.int_]) -> Floats:
    """Degrees of freedom of the sum of two arms' variances (Satterthwaite), whose residuals are correlated.

    Both were freed of the same seed means: of two arms they are the same residuals, of three nearly so, and of many
    nearly independent.
    """
    overlap = np.minimum(2 / np.maximum(arms - 1, 1), 1) ** 2
    square = va**2 + vb**2 + 2 * overlap * va * vb
    share: Floats = np.where(square > 0, (va + vb) ** 2 / np.maximum(square, 1e-300), 1.0)
    return np.maximum(freedom, 0) * share


def _pool_critical(
    layout: Layout,
    arms: Bools,
    inside: Bools,
    share: Floats,
    pairs: Sequence[tuple[int, int]],
    everyone: bool,
) -> Floats:
    """(studies, 1): the critical value of the pool's comparisons."""
    numbers = np.stack(
        [
            arms.sum(1) if everyone else inside.sum(1),
            layout.freedom,
            share,
            np.full(len(arms), 0.5) if everyone else _correlation(layout, inside, pairs),
        ],
        axis=1,
    )
    kinds, which = np.unique(numbers, axis=0, return_inverse=True)
    criticals = [
        np.nan
        if how_many < 1 or freedom < 1 or level <= 0
        else critical.tukey(int(how_many), float(freedom), float(level))
        if everyone
        else critical.dunnett(int(how_many), float(freedom), float(level), float(correlation))
        for how_many, freedom, level, correlation in kinds
    ]
    return np.array(criticals)[which.reshape(-1)][:, None]


def _correlation(layout: Layout, inside: Bools, pairs: Sequence[tuple[int, int]]) -> Floats:
    """The lowest correlation of two of the pool's differences from the reference, rounded down to twentieths."""
    others, reference = np.array([pair[0] for pair in pairs]), pairs[0][1]
    cov = layout.covariance
    cross = cov[:, others[:, None], others[None]] - cov[:, others, reference][:, :, None]
    cross = cross - cov[:, reference, others][:, None, :] + cov[:, reference, reference][:, None, None]
    scale = np.sqrt(np.maximum(np.einsum("ipp->ip", cross), 1e-300))
    both = inside[:, :, None] & inside[:, None, :] & ~np.eye(len(others), dtype=bool)
    lowest = np.where(both, cross / scale[:, :, None] / scale[:, None, :], 1.0).min((1, 2))
    return np.where(both.any((1, 2)), np.floor(20 * np.clip(lowest, 0.0, 0.95) + 1e-6) / 20, 0.5)
