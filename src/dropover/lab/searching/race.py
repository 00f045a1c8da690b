"""Who may still be on the front, from a few noisy seeds each; and the front of those that were seen with enough.

Values are gains at each objective: more is better. Arms are compared on the seeds that they share.
"""

import math
from collections.abc import Collection, Sequence
from statistics import fmean

from scipy import stats

from dropover.lab.searching.objectives import Scores

SURE = 0.95
"""How sure it must be at each objective, by itself, that an arm is worse, before it gets no more seeds."""

Gains = tuple[float, ...]


def means(scores: Scores, arms: Collection[str], seeds: Collection[int] | None = None) -> dict[str, Gains]:
    """Every arm's mean gain at each objective over its seeds, or over those of `seeds` that it has."""
    rows = {arm: [gains for seed, gains in scores[arm].items() if seeds is None or seed in seeds] for arm in arms}
    return {arm: tuple(map(fmean, zip(*row, strict=True))) for arm, row in rows.items() if row}


def dominates(a: Gains, b: Gains) -> bool:
    """Whether `a` is at least as good as `b` everywhere, and better somewhere."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


def front(values: dict[str, Gains]) -> list[str]:
    """The arms that no other dominates, the best at the first objective first."""
    best = [arm for arm, gains in values.items() if not any(dominates(other, gains) for other in values.values())]
    return sorted(best, key=lambda arm: values[arm], reverse=True)


def ranked(values: dict[str, Gains]) -> list[str]:
    """All arms: the front first, then the front of the others, and so on."""
    left, order = dict(values), []
    while left:
        first = front(left)
        order += first
        left = {arm: gains for arm, gains in left.items() if arm not in first}
    return order


def noise(scores: Scores, reference: str) -> list[float]:
    """Of each objective the standard deviation, over seeds, of the difference between two arms.

    It is pooled over all arms that share two seeds or more with the reference; infinite if none does.
    """
    base = scores.get(reference, {})
    squares: list[list[float]] = [[] for _ in _objectives(scores)]
    freedom = 0
    for arm, row in scores.items():
        shared = [seed for seed in row if seed in base]
        if arm == reference or len(shared) < 2:
            continue
        freedom += len(shared) - 1
        for place, into in enumerate(squares):
            differences = [row[seed][place] - base[seed][place] for seed in shared]
            middle = fmean(differences)
            into += [(difference - middle) ** 2 for difference in differences]
    if freedom:
        return [math.sqrt(sum(each) / freedom) for each in squares]
    if len(base) < 2:
        return [math.inf for _ in squares]
    # Two arms that share nothing but the noise of the reference.
    columns = list(zip(*base.values(), strict=True))
    return [math.sqrt(2 * sum((x - fmean(row)) ** 2 for x in row) / (len(row) - 1)) for row in columns]


def contenders(scores: Scores, arms: Sequence[str], reference: str) -> list[str]:
    """Those of `arms` that may still be on the front, the most promising first.

    One that is worse than some other at every objective, beyond what the noise explains, may not.
    """
    spread = noise(scores, reference)
    rivals = [arm for arm in scores if scores[arm]]
    able = [arm for arm in arms if not any(_surely_better(scores, rival, arm, spread) for rival in rivals)]
    return ranked(means(scores, able))


def able(scores: Scores, arms: Sequence[str], reference: str, seeds: Sequence[int], lap: int) -> list[str]:
    """Who may run a lap, the most promising first: contenders that have the seeds of all laps before.

    It is as it was at this lap, whatever came later: a search that goes on runs the same race again.
    """
    then = {
        arm: {seed: row[seed] for seed in row if seed in seeds[:lap] or arm == reference} for arm, row in scores.items()
    }
    return contenders(then, [arm for arm in arms if len(then.get(arm, {})) == lap], reference)


def runners(left: int, laps: int) -> int:
    """How many get a seed in the next of so many laps, where so many trainings are left: as many in each."""
    return max(left // laps, min(left, 1))


def _surely_better(scores: Scores, a: str, b: str, spread: Sequence[float]) -> bool:
    shared = [seed for seed in scores[a] if seed in scores[b]]
    if a == b or not shared:
        return False
    needed = float(stats.norm.ppf(SURE)) / math.sqrt(len(shared))
    ahead = [fmean(scores[a][seed][place] - scores[b][seed][place] for seed in shared) for place in range(len(spread))]
    return all(gap > needed * std for gap, std in zip(ahead, spread, strict=True))


def _objectives(scores: Scores) -> range:
    return range(len(next((gains for row in scores.values() for gains in row.values()), ())))
