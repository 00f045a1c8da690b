"""A study that is looked at while it grows: at which numbers of seeds, and how much of alpha each look may spend.

The looks are at fixed numbers of seeds, so that a study that was interrupted takes the same ones: all is known from the
values alone. What is spent by a look goes with the square of the share of the seeds that are there (an error spending
function, Lan & DeMets 1983): less would put off what a few seeds can already tell, more would leave little for the end.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from dropover.lab.judging import statistics as st
from dropover.lab.judging.deciding import Comparison, Decision, Values, decide
from dropover.lab.judging.scales import ScaleName

FIRST = 3
"""The first look's number of seeds."""
GROWTH = 1.3
"""By which each look's number of seeds is above the last's, rounded up."""
GRID = 801
"""Points of the density that is carried from look to look."""

Spending = Callable[[float, float], float]


def squared(share: float, alpha: float) -> float:
    """What may be spent when a share of the seeds is there: alpha times its square."""
    return alpha * share**2


@dataclass(frozen=True)
class Look:
    """One look: with so many seeds of each arm that is still open, at this alpha."""

    seeds: int
    alpha: float


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    A comparison that was decided stays as it was at its look, and its arm needs no more seeds.
    """

    decision: Decision
    """Verdicts that hold over all looks: with probability 1 − alpha every one is right, whenever the study stops."""
    seen: int
    """How many looks there were."""
    planned: int
    needed: dict[str, int]
    """Which arms need values for the next look, the reference among them, and with how many seeds. Empty at the end."""


def plan(most_seeds: int, comparisons: int, alpha: float = st.ALPHA, spending: Spending = squared) -> list[Look]:
    """The looks of a study of at most so many seeds, and of so many arms beside the reference.

    Raises:
        ValueError: There are fewer than two seeds, or no comparison.
    """
    if most_seeds < 2:
        raise ValueError(f"looks need at least 2 seeds, got {most_seeds}")
    if comparisons < 1:
        raise ValueError(f"looks need at least one comparison, got {comparisons}")
    seeds = [min(FIRST, most_seeds)]
    while seeds[-1] < most_seeds:
        seeds.append(min(math.ceil(GROWTH * seeds[-1]), most_seeds))
    levels = _levels(tuple(seeds), alpha / comparisons, spending)
    return [Look(n, comparisons * level) for n, level in zip(seeds, levels, strict=True)]


def follow(
    values: Values,
    reference: str,
    margin: float,
    looks: Sequence[Look],
    order: Sequence[int],
    *,
    higher_is_better: bool = True,
    scale: ScaleName = "share",
) -> Progress:
    """What the looks so far say, taken one after the other from the values, and what is needed for the next.

    Values that no look asked for have no part: seeds of an arm after it was decided, or that came too early.

    Args:
        values: The value of every arm at every seed that was run; NaN where the trial failed.
        reference: The arm that the others are compared with.
        margin: See `decide`.
        looks: What `plan` gave for this study.
        order: The seeds in the order in which they are run, as many as the last look has.
        higher_is_better: See `decide`.
        scale: See `decide`.

    Raises:
        ValueError: The order has fewer seeds than the last look.
    """
    if len(order) < looks[-1].seeds:
        raise ValueError(f"the last look is at {looks[-1].seeds} seeds, the order has {len(order)}")
    seeds = dict.fromkeys(values, 0)
    decided: dict[str, Comparison] = {}
    latest = decide({arm: {} for arm in values}, reference, margin)
    before = tuple(replace(each, why=f"The first look is at {looks[0].seeds} seeds.") for each in latest.comparisons)
    latest = replace(latest, comparisons=before)
    for index, look in enumerate(looks):
        open_arms = [arm for arm in values if arm != reference and arm not in decided]
        growing = [reference, *open_arms] if open_arms else []
        if any(seed not in values.get(arm, {}) for arm in growing for seed in order[: look.seeds]) or not growing:
            return Progress(_with(latest, decided), index, len(looks), dict.fromkeys(growing, look.seeds))
        seeds |= dict.fromkeys(growing, look.seeds)
        table = {arm: {seed: row[seed] for seed in order[: seeds[arm]] if seed in row} for arm, row in values.items()}
        latest = decide(table, reference, margin, alpha=look.alpha, higher_is_better=higher_is_better, scale=scale)
        decided |= {
            each.arm: each for each in latest.comparisons if each.verdict != "undecided" and each.arm in open_arms
        }
    return Progress(_with(latest, decided), len(looks), len(looks), {})


def _with(latest: Decision, decided: Mapping[str, Comparison]) -> Decision:
    """The latest look's comparisons; those that an earlier look decided as they were then."""
    kept = tuple(decided.get(each.arm, each) for each in latest.comparisons)
    return replace(latest, comparisons=kept)


@lru_cache(maxsize=256)
def _levels(seeds: tuple[int, ...], alpha: float, spending: Spending) -> tuple[float, ...]:
    """The two-sided level of each look at one comparison, so that what is spent is what may be.

    The estimate after n seeds, times n, is a Brownian motion at n in the limit; its density within the bounds so far is
    carried from look to look. With few seeds these levels are used for t, as is usual (Jennison & Turnbull 2000).
    """
    shares = np.array(seeds) / seeds[-1]
    levels: list[float] = []
    points, density, before, spent = np.zeros(1), np.ones(1), 0.0, 0.0
    for share in shares:
        step = math.sqrt(share - before)
        may = spending(float(share), alpha) - spent
        bound = float(optimize.brentq(_excess, 0.0, 12.0, args=(points, density, step, may), xtol=1e-10))
        levels.append(2 * float(stats.norm.sf(bound / math.sqrt(share))))
        grid = np.linspace(-bound, bound, GRID)
        weights = np.full(GRID, grid[1] - grid[0])
        weights[[0, -1]] /= 2
        carried = stats.norm.pdf(grid[:, None], points[None], step) @ density
        points, density, before, spent = grid, carried * weights, float(share), spent + may
    return tuple(levels)


def _excess(
    bound: float, points: np.ndarray[tuple[int], np.dtype[np.float64]], density: np.ndarray, step: float, may: float
) -> float:
    """By how much the probability to pass the bound at this look, and not before, is above what may be spent."""
    passes = stats.norm.sf((bound - points) / step) + stats.norm.sf((bound + points) / step)
    return float(passes @ density) - may
