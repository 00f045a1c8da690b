"""What the verdicts find and what they cost in trials, beside today's tests and beside studies of a fixed size."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import studies
from scipy import stats

from dropover.lab.judging import critical, model
from dropover.lab.judging.looks import Look
from dropover.lab.judging.model import Bools, Floats
from dropover.lab.judging.scales import Shares

EFFECTS = np.array([0.0, 0.0, -0.0025, 0.005, -0.01, -0.02])
"""True differences from the first arm, whose accuracy is 95 %, at a spread of half a point."""
LOGITS = Shares().judged(0.95 + EFFECTS)
SPREAD = float(np.diff(Shares().judged(np.array([0.9475, 0.9525])))[0])
MARGIN = 0.005
SIZES = (3, 4, 6, 10)
FIXED = (3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 30, 36, 44, 52, 60)
TESTS = ("verdict", "sign-flip, Holm", "paired t, Holm", "Student's t (†), not corrected")
PATIENCE = 11
"""With fewer seeds no arm is without hope."""
AT_THE_END = 2.6
"""About the critical value of a growing study's last look."""
ROUNDS = 300
"""Until arms of one spread have no seeds' effects either, in nearly all studies."""
BREADTH = 1.5
"""Of the anytime-valid test: the differences it is best at, in spreads."""


def points(judged: Floats) -> Floats:
    """Logits as shares."""
    return Shares().back(judged)


@dataclass(frozen=True)
class Truth:
    """Studies whose truth is known: their values as logits (studies, arms, seeds), and every arm's true logit."""

    make: Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]
    margin: float


def _made_up(effects: Floats) -> Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]:
    def make(generator: np.random.Generator, size: int, seeds: int) -> tuple[Floats, Floats]:
        true = np.broadcast_to(Shares().judged(0.95 + effects), (size, len(effects)))
        return true[:, :, None] + SPREAD * generator.standard_normal((size, len(effects), seeds)), true

    return make


def _real(measures: slice) -> Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]:
    """Six arms of a real measure, in any order: their means are the truth, and each keeps its own residuals."""

    def make(generator: np.random.Generator, size: int, seeds: int) -> tuple[Floats, Floats]:
        kept = [
            each for index, each in enumerate(studies.real()) if index % len(studies.MEASURES) in range(10)[measures]
        ]
        means, residuals = np.stack([each[0] for each in kept]), np.stack([each[1] for each in kept])
        which = generator.integers(len(means), size=size)[:, None]
        arms = np.argsort(generator.random((size, means.shape[1])), axis=1)[:, : len(EFFECTS)]
        shape = (size, len(EFFECTS), seeds)
        drawn = residuals[which[:, :, None], arms[:, :, None], generator.integers(residuals.shape[2], size=shape)]
        own = residuals.std(2)[which, arms][:, :, None]
        moved = drawn + studies.SMOOTHING * own * generator.standard_normal(shape)
        true = means[which, arms]
        return true[:, :, None] + moved / np.sqrt(1 + studies.SMOOTHING**2), true

    return make


ALIKE = Truth(_made_up(0 * EFFECTS), MARGIN)
TRUTHS = {
    "five arms at 0, −0.25, +0.5, −1 and −2 points": Truth(_made_up(EFFECTS), MARGIN),
    "five arms like the reference": ALIKE,
    "real arms, clean accuracy": Truth(_real(slice(0, 1)), MARGIN),
    "real arms under attack, margin 2 points": Truth(_real(slice(1, 10)), 0.02),
}


def decided_at(
    y: Floats,
    looks: Sequence[Look],
    margin: float,
    half: Callable[[model.Intervals, int], Floats] | None = None,
    *,
    leave_without_hope: bool = False,
) -> tuple[Floats, Floats, Floats]:
    """With how many seeds each arm is decided (inf: not at all), as what (−1, 0 level, 1), and each study's trials.

    Arms without hope leave where asked for: with `PATIENCE` seeds or more, those that even the last look's interval
    would leave undecided, were difference and spread to stay and it narrower by a fifth.
    """
    size, arms, _ = y.shape
    at, sign = np.full((size, arms - 1), np.inf), np.zeros((size, arms - 1))
    hopeless = np.zeros((size, arms - 1), dtype=bool)
    seeds = np.zeros((size, arms))
    for look in looks:
        is_open = np.isinf(at) & ~hopeless
        rows = np.flatnonzero(is_open.any(1))
        growing = np.concatenate([is_open.any(1, keepdims=True), is_open], axis=1)
        seeds[growing] = look.seeds
        values = np.where(np.arange(look.seeds) < seeds[rows][:, :, None], y[rows, :, : look.seeds], np.nan)
        found = against_first(values, look.alpha)
        base = np.nanmean(values[:, :1], axis=2)
        words = _words(found.difference, found.half if half is None else half(found, look.seeds), base, margin)
        now = ~np.isnan(words) & is_open[rows]
        at[rows] = np.where(now, look.seeds, at[rows])
        sign[rows] = np.where(now, words, sign[rows])
        if leave_without_hope and look.seeds >= PATIENCE:
            spread = np.where(found.pooled, found.variance, found.own_variance)
            least = 0.8 * AT_THE_END * np.sqrt(spread * 2 / looks[-1].seeds)
            hopeless[rows] |= np.isnan(_words(found.difference, least, base, margin)) & ~now
    return at, sign, seeds.sum(1)


def _words(difference: Floats, half: Floats, base: Floats, margin: float) -> Floats:
    """Each verdict: 0 level, −1 or 1 different, NaN undecided."""
    low, high = difference - half, difference + half
    if margin:
        low, high = points(base + low) - points(base), points(base + high) - points(base)
    level = (low >= -margin) & (high <= margin) & (margin > 0)
    return np.asarray(np.where(level, 0.0, np.where((low > 0) | (high < 0), np.sign(low + high), np.nan)))


def against_first(y: Floats, alpha: float) -> model.Intervals:
    """Every arm against the first."""
    return model.intervals(y, [(arm, 0) for arm in range(1, y.shape[1])], alpha, np.ones(y.shape[:2], dtype=bool))


def pooled_alone(y: Floats) -> Bools:
    """Which arms Dunnett's test calls different from the first, were every arm's spread taken to be the same."""
    size, arms, seeds = y.shape
    layout = model.fit(y, np.ones((size, arms), dtype=bool))
    c = critical.dunnett(arms - 1, float((arms - 1) * (seeds - 1)), 0.05)
    half = c * np.sqrt(layout.variance * 2 / seeds)
    return np.abs(layout.effects[:, 1:] - layout.effects[:, :1]) > half[:, None]


def anytime(found: model.Intervals, seeds: int, alpha: float = 0.05) -> Floats:
    """Half of an anytime-valid interval: a mixture of t-tests, whose evidence against a difference is an e-process.

    Its bound on t² is where the mixture's likelihood ratio reaches the number of comparisons over alpha (Robbins 1970;
    for an unknown spread Lai 1976), in the pool and, at the level of `model.intervals`, by the two arms alone.
    """
    family = found.difference.shape[1]
    ratio = (2 / seeds) / (2 / seeds + BREADTH**2)

    def bound(freedom: Floats, level: Floats) -> Floats:
        grows = (1 / level / np.sqrt(ratio)) ** (2 / (freedom + 1))
        return np.sqrt(
            freedom * np.where(ratio * grows < 1, (grows - 1) / np.maximum(1 - ratio * grows, 1e-12), np.inf)
        )

    pooled = bound(np.maximum(found.freedom, 1), np.full_like(found.freedom, alpha / family)) * np.sqrt(found.variance)
    own_level = np.where(found.inside, alpha / min(seeds, family), alpha / family)
    own = bound(np.maximum(found.own_freedom, 1), own_level) * np.sqrt(found.own_variance)
    return np.where(found.inside, np.maximum(pooled, own), own) * np.sqrt(2 / np.maximum(found.pairs, 1))


def followed(
    truth: Truth,
    looks: Sequence[Look] | None,
    size: int,
    generator: np.random.Generator,
    *,
    leave_without_hope: bool = False,
) -> tuple[float, float, float]:
    """The share of arms that a growing study decides, of studies with any wrong verdict, and the mean of its trials."""
    schedule = looks or [Look(n, 0.05) for n in (3, 4, 6, 8, 11, 15, 20, 26, 30)]
    y, true = truth.make(generator, size, schedule[-1].seeds)
    at, sign, trials = decided_at(
        y, schedule, truth.margin, None if looks else anytime, leave_without_hope=leave_without_hope
    )
    effect = points(true[:, 1:]) - points(true[:, :1])
    wrong = np.isfinite(at) & np.where(sign == 0, np.abs(effect) > truth.margin + 1e-12, np.sign(effect) != sign)
    return float(np.isfinite(at).mean()), float(wrong.any(1).mean()), float(trials.mean())


def fixed_curve(truth: Truth, size: int, generator: np.random.Generator) -> list[float]:
    """The share of arms that a study of each fixed number of seeds decides."""
    y, _ = truth.make(generator, size, FIXED[-1])
    return [float(np.isfinite(decided_at(y, [Look(n, 0.05)], truth.margin)[0]).mean()) for n in FIXED]


def seeds_for(curve: Sequence[float], share: float) -> float | None:
    """The number of seeds of a fixed study that decides this share of the arms; None if none does."""
    rising = np.maximum.accumulate(curve)
    return None if share > rising[-1] else float(np.interp(share, rising, FIXED))


def compared(size: int, generator: np.random.Generator) -> Iterator[tuple[int, dict[float, list[float]]]]:
    """For each number of seeds and true difference (points): how often the verdict and today's tests find one."""
    for n in SIZES:
        y, _ = _made_up(EFFECTS)(generator, size, n)
        found = against_first(y, 0.05)
        shares = points(y)
        gaps = shares[:, 1:] - shares[:, :1]
        t = gaps.mean(2) / (gaps.std(2, ddof=1) / np.sqrt(n))
        results = [
            np.abs(found.difference) > found.half,
            _holm(_sign_flip(gaps)) < 0.05,
            _holm(2 * stats.t.sf(np.abs(t), n - 1)) < 0.05,
            stats.ttest_ind(shares[:, 1:], shares[:, :1], axis=2).pvalue < 0.05,
        ]
        yield n, {100 * effect: [float(r[:, arm].mean()) for r in results] for arm, effect in enumerate(EFFECTS[1:])}


def found_in_points(level: float, size: int, generator: np.random.Generator) -> list[float]:
    """How often an arm 2 points below is found by six arms and three seeds whose values spread by half a point.

    First where that is the truth, then where it is what every arm's three values show, then where it is what they show
    beside their seeds' effects.
    """
    normal = generator.standard_normal((size, 6, 3))
    means = level - np.array([0, 0.02, 0, 0, 0, 0])
    shares = []
    for spread in (normal, _of_one_spread(normal), _of_one_spread(normal, rounds=ROUNDS)):
        found = against_first(Shares().judged(means[:, None] + 0.005 * spread), 0.05)
        shares.append(float((found.difference + found.half < 0)[:, 0].mean()))
    return shares


def _of_one_spread(y: Floats, rounds: int = 0) -> Floats:
    """Each arm's standard deviation becomes 1; with rounds that of its residuals, and seeds have no effects."""
    for _ in range(rounds):
        y = _of_one_spread(y)
        y = y - y.mean(1, keepdims=True)
    arms = y.shape[1]
    scaled = (y - y.mean(2, keepdims=True)) / y.std(2, ddof=1, keepdims=True)
    return np.asarray(scaled * np.sqrt(1 - 1 / arms) if rounds else scaled)


def paired_alarms(y: Floats) -> float:
    """In which share of null studies the paired t-test with Holm's correction finds a difference."""
    gaps = y[:, 1:] - y[:, :1]
    n = y.shape[2]
    t = gaps.mean(2) / (gaps.std(2, ddof=1) / np.sqrt(n))
    return float((_holm(2 * stats.t.sf(np.abs(t), n - 1)) < 0.05).any(1).mean())


def _sign_flip(gaps: Floats) -> Floats:
    """`statistics.sign_flip` of many comparisons."""
    n = gaps.shape[2]
    signs = np.array(list(itertools.product([1, -1], repeat=n - 1)))
    sums = np.abs(gaps[..., :1] + gaps[..., 1:] @ signs.T)
    return np.mean(sums >= np.abs(gaps.sum(2, keepdims=True)) - 1e-12, axis=2)


def _holm(p: Floats) -> Floats:
    """`statistics.holm` of many studies, each with its comparisons in a row."""
    order = np.argsort(p, axis=1)
    adjusted = np.maximum.accumulate(np.take_along_axis(p, order, 1) * np.arange(p.shape[1], 0, -1), axis=1)
    return np.take_along_axis(np.minimum(adjusted, 1), np.argsort(order, axis=1), 1)
