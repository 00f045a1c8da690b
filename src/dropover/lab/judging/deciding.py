"""Better, worse, level or undecided: what a study says of its arms at one measure, and how many seeds are wanting."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from dropover.lab.judging import critical, model
from dropover.lab.judging import statistics as st
from dropover.lab.judging.scales import Plain, ScaleName, scale_of

Verdict = Literal["better", "worse", "level", "undecided"]
Values = Mapping[str, Mapping[int, float]]
"""Of every arm the value at every seed; where a trial failed it is NaN or not there."""
MOST_SEEDS = 1000
"""Beyond this nobody is told how many seeds would decide."""


@dataclass(frozen=True)
class Comparison:
    """An arm against another, the reference if nothing else was asked.

    Differences and intervals are arm − reference, in the values' own units, whichever direction is good. The intervals
    of a decision hold together: all of them contain the truth with probability 1 − alpha. They and the difference are
    None where there is nothing to say.
    """

    arm: str
    reference: str
    verdict: Verdict
    why: str
    """A sentence: what the verdict rests on, or what is wanting."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    """How the interval came about; empty if there is none."""
    spread: float | None = None
    """The standard deviation of one value that the interval used, about, in the values' own units."""
    seeds: int = 0
    """How many seeds both have."""
    left_out: tuple[int, ...] = ()
    """Seeds that one of the two has and the other hasn't: they are no pair."""
    seeds_needed: int | None = None
    """With how many seeds it would be decided if difference and spread stayed as they are; None if it is decided, if
    that can't be known, or if they are more than `MOST_SEEDS`."""


@dataclass(frozen=True)
class Decision:
    """What a study says at one measure."""

    reference: str
    margin: float
    alpha: float
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
    """What is to be known of all comparisons: arms without values, a scale that could not be used."""

    def of(self, verdict: Verdict) -> tuple[Comparison, ...]:
        """The comparisons that came out so."""
        return tuple(each for each in self.comparisons if each.verdict == verdict)


def decide(
    values: Values,
    reference: str,
    margin: float,
    *,
    pairs: Literal["reference", "all"] = "reference",
    alpha: float = st.ALPHA,
    higher_is_better: bool = True,
    scale: ScaleName = "share",
) -> Decision:
    """A verdict for every arm against the reference, or for every pair of arms, at one measure.

    An arm is *level* where its whole interval is within ± margin (two one-sided tests, Schuirmann 1987), *better* or
    *worse* where it leaves out 0, and *undecided* otherwise. With probability 1 − alpha every verdict is right.

    Args:
        values: The value of every arm at every seed.
        reference: The arm that the others are compared with.
        margin: Differences up to this are none that matter, in the values' units: 0.005 is half a point of accuracy.
        pairs: Compare with the reference, or every arm with every other.
        alpha: How often any of the verdicts may be wrong.
        higher_is_better: Whether more is better, as of an accuracy, or less, as of a loss.
        scale: What the values are. Shares are judged by their logits, losses by their logarithms; differences and
            intervals are carried back to the values' own units at the reference's level.

    Raises:
        ValueError: The margin is negative, alpha is not between 0 and 1, or a share is not.
    """
    if not margin >= 0:
        raise ValueError(f"margin must be 0 or more, got {margin}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    arms = list(values)
    wanted = [(b, a) for a, b in combinations(arms, 2)] if pairs == "all" else [(a, reference) for a in arms]
    wanted = [(arm, other) for arm, other in wanted if arm != other]
    table = _Table(values, reference, scale)
    if not wanted:
        table.notes.append(f"there is no other arm to compare with {reference}")
    able = [pair for pair in wanted if all(arm in table.arms for arm in pair)]
    judged = _judge(table, able, margin, alpha, higher_is_better) if able else {}
    comparisons = tuple(judged.get(pair) or _nothing(values, reference, *pair) for pair in wanted)
    return Decision(reference, margin, alpha, comparisons, tuple(table.notes))


class _Table:
    """Values as an array of the arms that can be compared: those that share a seed with the reference."""

    def __init__(self, values: Values, reference: str, scale: ScaleName) -> None:
        self.notes: list[str] = []
        valued = {arm: {seed for seed, value in row.items() if math.isfinite(value)} for arm, row in values.items()}
        base = valued.get(reference, set())
        self.arms = [arm for arm, seeds in valued.items() if seeds & base]
        self.seeds = sorted({seed for arm in self.arms for seed in valued[arm]})
        self.raw = np.array([[values[arm].get(seed, math.nan) for seed in self.seeds] for arm in self.arms])
        self.raw = np.where(np.isfinite(self.raw), self.raw, np.nan).reshape(len(self.arms), len(self.seeds))
        self.scale = scale_of(scale, self.raw)
        self.judged = self.scale.judged(self.raw)
        if scale == "loss" and type(self.scale) is Plain and self.arms:
            self.notes.append("losses that are not above 0 have no logarithm: they are judged as they are")

    def row(self, arm: str) -> int:
        return self.arms.index(arm)


def _nothing(values: Values, reference: str, arm: str, other: str) -> Comparison:
    """The comparison of two arms of which one has nothing to compare."""
    valued = {name: any(math.isfinite(value) for value in values.get(name, {}).values()) for name in (other, arm)}
    lacking = next((name for name in (reference, other, arm) if not valued.get(name, name in values)), None)
    if reference not in values:
        why = f"the reference {reference} is not among the arms"
    elif lacking is not None:
        why = f"{lacking} has no value"
    else:
        why = f"{arm} and {reference} have no seed in common"
    return Comparison(arm, other, "undecided", f"Nothing can be compared: {why}.")


def _judge(
    table: _Table, pairs: Sequence[tuple[str, str]], margin: float, alpha: float, higher_is_better: bool
) -> dict[tuple[str, str], Comparison]:
    rows = [(table.row(arm), table.row(other)) for arm, other in pairs]
    intervals = model.intervals(table.judged[None], rows, alpha, np.ones((1, len(table.arms)), dtype=bool))
    return {
        pair: _Judged(table, intervals, index, rows, margin, alpha, higher_is_better).comparison(*pair)
        for index, pair in enumerate(pairs)
    }


@dataclass(frozen=True)
class _Judged:
    """One comparison on its way from the scale of the verdict to words."""

    table: _Table
    intervals: model.Intervals
    index: int
    rows: Sequence[tuple[int, int]]
    margin: float
    alpha: float
    higher_is_better: bool

    def comparison(self, arm: str, other: str) -> Comparison:
        a, b = self.rows[self.index]
        there = np.isfinite(self.table.raw[[a, b]])
        common = there.all(0)
        n = int(common.sum())
        left_out = tuple(seed for seed, odd in zip(self.table.seeds, there[0] != there[1], strict=True) if odd)
        gaps = (self.table.raw[a] - self.table.raw[b])[common]
        if n == 0:
            return Comparison(arm, other, "undecided", f"{arm} and {other} have no seed in common.", left_out=left_out)
        gap, half = float(self.intervals.difference[0, self.index]), float(self.intervals.half[0, self.index])
        difference = self._natural(gap)
        if n == 1:
            why = f"One seed says nothing about chance: another may turn {arm} and {other} round."
            return Comparison(arm, other, "undecided", why, difference, seeds=n, left_out=left_out)
        if np.abs(gaps).max() < st.TINY * self.table.scale.unit:
            why = f"{arm} and {other} gave the same in each of {n} seeds."
            return Comparison(arm, other, "level", why, 0.0, 0.0, 0.0, "identical values", 0.0, n, left_out)
        if math.isnan(half):
            return self._without_spread(arm, other, difference, n, left_out)
        low, high = self._natural(gap - half), self._natural(gap + half)
        verdict = self._verdict(low, high)
        return Comparison(
            arm,
            other,
            verdict,
            self._why(arm, other, n),
            difference,
            low,
            high,
            self._method(),
            self._spread(),
            n,
            left_out,
            self._seeds_needed(gap, n) if verdict == "undecided" else None,
        )

    def _natural(self, gap: float) -> float:
        base = float(np.nanmean(self.table.judged[self.rows[self.index][1]]))
        return self.table.scale.difference(base, gap)

    def _verdict(self, low: float, high: float) -> Verdict:
        if -self.margin <= low and high <= self.margin:
            return "level"
        if low > 0 or high < 0:
            return "better" if (low > 0) == self.higher_is_better else "worse"
        return "undecided"

    def _without_spread(self, arm: str, other: str, difference: float, n: int, left_out: tuple[int, ...]) -> Comparison:
        """The same difference in every seed and in every arm no spread: all that is left are the signs."""
        p = st.smallest_possible_p(n) * len(self.rows)
        says = f"{arm} and {other} differ by the same in each of {n} seeds, and there is no spread to judge it by"
        if p >= self.alpha:
            why = f"{says}; so few seeds could all agree by chance."
            needed = st.pairs_needed(len(self.rows), self.alpha)
            return Comparison(arm, other, "undecided", why, difference, seeds=n, left_out=left_out, seeds_needed=needed)
        verdict = self._verdict(difference, difference)
        why = f"{says}; by chance so many would not all agree (p = {p:.2g})."
        return Comparison(
            arm, other, verdict, why, difference, difference, difference, "signs, Bonferroni", 0.0, n, left_out
        )

    @property
    def _inside(self) -> bool:
        return bool(self.intervals.inside[0, self.index])

    @property
    def _everyone(self) -> bool:
        return len({b for _, b in self.rows}) > 1

    def _method(self) -> str:
        if self.intervals.pooled[0, self.index]:
            name = "Tukey–Kramer" if self._everyone else "Dunnett"
            return f"pooled over {self.intervals.pool.sum()} arms, {_freedom(self.intervals.freedom[0, 0])}, {name}"
        freedom = _freedom(self.intervals.own_freedom[0, self.index])
        return f"the two arms' spread, {freedom}, Welch" if self._inside else f"own spread, {freedom}, paired t"

    def _why(self, arm: str, other: str, n: int) -> str:
        if self.intervals.pooled[0, self.index]:
            return "The arms' spreads are alike as far as can be told, and these two arms' own is not wider."
        if self._inside:
            return f"Over {n} seeds the two arms alone leave more room than the pooled spread does; the wider counts."
        outside = [name for name in (arm, other) if not self.intervals.pool[0, self.table.row(name)]]
        return f"{' and '.join(outside)} clearly spread{'s' if len(outside) == 1 else ''} unlike the other arms."

    def _spread(self) -> float:
        pooled = self.intervals.pooled[0, self.index]
        variance = self.intervals.variance[0, 0] if pooled else self.intervals.own_variance[0, self.index]
        std = float(np.sqrt(variance))
        return (self._natural(std) - self._natural(-std)) / 2

    def _seeds_needed(self, gap: float, n: int) -> int | None:
        """The fewest seeds with which an interval around the same difference, at the same spread, would decide."""

        def decides(seeds: int) -> bool:
            half = self._half(seeds, n)
            return self._verdict(self._natural(gap - half), self._natural(gap + half)) != "undecided"

        few, many = n, n + 1
        while not decides(many):
            if many >= MOST_SEEDS:
                return None
            few, many = many, min(2 * many, MOST_SEEDS)
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if decides(middle) else (middle, many)
        return many

    def _half(self, seeds: int, n: int) -> float:
        """Half of the interval's width, were there so many seeds of every arm and the same spreads."""
        family, arms = len(self.rows), int(self.intervals.pool.sum())
        error = math.sqrt(2 / seeds)
        freedom = float(self.intervals.own_freedom[0, self.index]) / (n - 1) * (seeds - 1)
        level = self.alpha / (float(model.own_share(np.array(float(seeds)), family)) if self._inside else family)
        alone = critical.student(freedom, level) * math.sqrt(float(self.intervals.own_variance[0, self.index]))
        if not self._inside:
            return alone * error
        inside = int(self.intervals.inside.sum())
        share, of_pool = self.alpha * inside / family, float((arms - 1) * (seeds - 1))
        c = critical.tukey(arms, of_pool, share) if self._everyone else critical.dunnett(inside, of_pool, share)
        return max(alone, c * math.sqrt(float(self.intervals.variance[0, 0]))) * error


def _freedom(number: float) -> str:
    return f"{number:.3g} degree{'' if number == 1 else 's'} of freedom"
