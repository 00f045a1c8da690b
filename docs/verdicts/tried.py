"""Other ways to judge spreads of which three seeds tell little: tried, and not chosen.

Each gives half of every interval from a study's layout. So that they can be compared, every rule's intervals are also
stretched or shrunk by what it takes to keep alpha in every kind of study.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import power
import studies
import trained
from scipy import special

from dropover.lab.judging import critical, model
from dropover.lab.judging.model import Floats, Layout

ARMS, SEEDS, ALPHA = 6, 3, 0.05
KINDS = studies.KINDS[:-1]
MEASURES = 7
IN_COMMON = 0.5
"""The correlation of two measures' residuals, about that of the kept studies."""
REAL_FREEDOM = 2.5
"""A prior's degrees of freedom at which arms' spreads differ as much as in the kept study where they differ most."""

Rule = Callable[[Layout], Floats]
Generators = Callable[[str, int], np.random.Generator]


@dataclass(frozen=True)
class Tried:
    """What a rule does, in shares of studies."""

    title: str
    alarms: float
    """With any false alarm, in the kind of study that has most."""
    found: float
    """In which −2 points are found, as the rule is."""
    found_held: float
    """The same where its intervals are stretched until it just keeps alpha everywhere."""


def tried(size: int, generator: Generators) -> Iterator[Tried]:
    """All of them, at studies of six arms and three seeds."""
    null = [kind.residuals(generator(kind.title, 100 * ARMS + SEEDS), size, ARMS, SEEDS) for kind in KINDS]
    true = _true(generator("tried", 0).standard_normal((size, ARMS, SEEDS)))
    chosen = [power.against_first(y, ALPHA) for y in [*null, true]]
    yield _told("as chosen", [np.abs(each.difference) / each.half for each in chosen])
    layouts = [_layout(y) for y in [*null, true]]
    learnt = [_layout(kind.residuals(generator(kind.title, 1), size, ARMS, SEEDS)) for kind in KINDS]
    learnt_true = _layout(_true(generator("tried", 1).standard_normal((size, ARMS, SEEDS))))
    rules: dict[str, Rule] = {
        "the same at α / 1.5 for the two arms alone": wider(1.5),
        "pooled alone": pooled,
        "variances moderated, prior from the six arms": moderated(),
        "variances moderated, prior from the six arms, robust": moderated(robust=True),
        "variances moderated, prior from the kept studies": moderated(REAL_FREEDOM),
        "intervals that grow with the variance": growing,
        "a network, trained for these very rows": trained.rule(learnt, learnt_true, ALPHA, seed=0),
    }
    for title, rule in rules.items():
        yield _told(title, [_ratio(rule, layout) for layout in layouts])
    normal = [kind for kind in KINDS if kind.shape == "normal"]
    found = _over_measures([_true, *[np.array] * (MEASURES - 1)], normal[0], normal[0], generator("tried", 2), size)
    for where, others in (("all of them", None), ("one only", normal[0])):
        drawn = [
            _over_measures([np.array] * MEASURES, kind, others or kind, generator(kind.title, 2), size)
            for kind in normal
        ]
        yield _told(
            f"spreads averaged over {MEASURES} measures, unequal at {where}",
            [_ratio(wider(2), layout) for layout in [*drawn, found]],
        )


def pooled(study: Layout) -> Floats:
    """As if every arm's spread were the same."""
    c = critical.dunnett(ARMS - 1, float((ARMS - 1) * (SEEDS - 1)), ALPHA)
    return np.repeat(c * np.sqrt(study.variance[:, None] * 2 / SEEDS), ARMS - 1, axis=1)


def wider(share: float) -> Rule:
    """The wider of the pooled interval and of the two arms' own, at alpha over `share`; no arm leaves the pool."""
    return lambda study: np.maximum(pooled(study), _welch(study.spreads, np.array(SEEDS - 1.0), share))


def moderated(prior_freedom: float | None = None, *, robust: bool = False) -> Rule:
    """Each arm's variance is drawn towards that of all, and has more degrees of freedom for it (Smyth 2004, limma).

    Those of the prior, if not given, are such that the logarithms of variances differ as they do between the arms: by
    their variance or, where `robust`, by their quartiles. Bonferroni's correction.
    """
    own = SEEDS - 1
    grid = np.exp(np.linspace(-1.5, 5, 300))

    def half(study: Layout) -> Floats:
        logs = np.log(study.spreads + 1e-9 * study.variance[:, None])
        low, high = np.quantile(logs, [0.25, 0.75], axis=1)
        differ = ((high - low) / 1.349) ** 2 if robust else logs.var(1, ddof=1)
        by_arms = np.interp(special.polygamma(1, own / 2) - differ, -special.polygamma(1, grid / 2), grid)
        freedom = (by_arms if prior_freedom is None else np.full(len(logs), prior_freedom))[:, None]
        drawn = (freedom * study.variance[:, None] + own * study.spreads) / (freedom + own)
        return _welch(drawn, freedom + own, ARMS - 1)

    return half


def growing(study: Layout) -> Floats:
    """Half grows with a power of the two arms' variances over all arms', nearly as the trained rule's does."""
    ratio = (study.spreads / study.variance[:, None]) ** 1.5
    grown = 3 + 0.58 * (ratio[:, :1] + 0.7 * ratio[:, 1:])
    return np.asarray(np.sqrt(study.variance[:, None] * 2 / SEEDS) * grown)


def _welch(spreads: Floats, freedom: Floats, share: float) -> Floats:
    """By the two arms' variances, with at most the pool's degrees of freedom."""
    a, b = spreads[:, 1:], spreads[:, :1]
    of_both = np.minimum(freedom * (a + b) ** 2 / (a**2 + b**2), (ARMS - 1) * (SEEDS - 1))
    return np.asarray(-special.stdtrit(of_both, ALPHA / share / 2) * np.sqrt((a + b) / SEEDS))


def _true(residuals: Floats) -> Floats:
    """Studies with the differences of the table of what is found; a spread is 1."""
    return np.asarray(residuals + (power.LOGITS / power.SPREAD)[:, None])


def _layout(values: Floats) -> Layout:
    return model.fit(values, np.ones(values.shape[:2], dtype=bool))


def _over_measures(
    made: Sequence[Callable[[Floats], Floats]],
    first: studies.Kind,
    others: studies.Kind,
    generator: np.random.Generator,
    size: int,
) -> Layout:
    """The first measure's layout, each arm's spread over the pool's being its average over all measures."""
    shape = (size, ARMS, SEEDS)
    shared = generator.standard_normal(shape)
    layouts = []
    for measure, make in enumerate(made):
        scale = np.resize((others if measure else first).spreads or (1.0,), ARMS)[:, None]
        drawn = np.sqrt(IN_COMMON) * shared + np.sqrt(1 - IN_COMMON) * generator.standard_normal(shape)
        layouts.append(_layout(make(scale * drawn)))
    ratio = np.mean([each.spreads / each.variance[:, None] for each in layouts], axis=0)
    return replace(layouts[0], spreads=ratio * layouts[0].variance[:, None])


def _ratio(rule: Rule, study: Layout) -> Floats:
    """Differences from the first arm over half of their intervals."""
    return np.asarray(np.abs(study.effects[:, 1:] - study.effects[:, :1]) / rule(study))


def _told(title: str, ratios: Sequence[Floats]) -> Tried:
    """From the ratios of studies without differences, one array for each kind, and last of those with some."""
    *null, true = ratios
    most = [ratio.max(1) for ratio in null]
    stretch = max(float(np.quantile(each, 1 - ALPHA)) for each in most)
    alarms = max(float((each > 1).mean()) for each in most)
    return Tried(title, alarms, float((true[:, -1] > 1).mean()), float((true[:, -1] > stretch).mean()))
