"""Figures over seeds: each arm against the reference arm, and each attack against the margin loss."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from dropover.lab.attacks import ATTACKS
from dropover.lab.judging import statistics as st
from dropover.lab.judging.deciding import Comparison, Decision, Values, Verdict, decide
from dropover.lab.judging.measures import Measure, fitted, returned
from dropover.lab.measuring.robustness import norm_of
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import CLEAN
from dropover.lab.study import AttackSettings, Study

CLEAN_SHARE = Measure(CLEAN, of_images=True)
Judge = Callable[[str, Values], Decision]
"""Gives the verdicts at a measure, by its label and its values of every arm and seed at one level."""
SIGNS: dict[Verdict, str] = {"better": "▲", "worse": "▼", "level": "=", "undecided": "?"}
"""What a verdict is in a table's cell."""


@dataclass(frozen=True)
class Figure:
    """One arm at one measure and level, over its seeds, and against the reference arm over the seeds both have.

    Values are in the measure's own units, shares in [0, 1]. `p_exact` is the exact paired sign-flip test, `p_holm` the
    same after Holm's correction over the `tests` arms tested, `p_student` the FDD paper's unpaired t-test. All are None
    for the reference arm itself.
    """

    arm: str
    measure: str
    level: float | None
    values: tuple[float, ...]
    mean: float
    spread: float | None
    difference: st.Difference | None = None
    p_exact: float | None = None
    p_holm: float | None = None
    p_student: float | None = None
    tests: int = 1
    seeds: tuple[int, ...] = ()
    """Which seeds the values are of; empty where they are of something else."""
    reading: Measure = CLEAN_SHARE
    """How the values are read."""

    @property
    def dagger(self) -> bool:
        """Whether the FDD paper would mark it †: better than the reference, by Student's t-test at 0.05."""
        better = self.difference is not None and self.reading.gain(self.difference.mean) > 0
        return better and self.p_student is not None and self.p_student < st.ALPHA


@dataclass(frozen=True)
class Column:
    """Every arm's figure at one measure and level, at least one; and what is decided of them."""

    figures: dict[str, Figure]
    decision: Decision

    @property
    def measure(self) -> str:
        """The measure's label."""
        return next(iter(self.figures.values())).measure

    @property
    def level(self) -> float | None:
        """The level; None for a measure without."""
        return next(iter(self.figures.values())).level

    @property
    def reading(self) -> Measure:
        """How the measure is read, with the margin that the verdicts went by."""
        reading = next(iter(self.figures.values())).reading
        return reading if reading.margin is None else replace(reading, margin=self.decision.margin)

    @property
    def best(self) -> list[str]:
        """The arms with the best mean, ties included; none where all are equal."""
        means = {arm: self.reading.gain(self.reading.settled(figure.mean)) for arm, figure in self.figures.items()}
        return [arm for arm, mean in means.items() if min(means.values()) < mean == max(means.values())]

    @property
    def comparisons(self) -> dict[str, Comparison]:
        """What was decided of every arm but the reference."""
        return {each.arm: each for each in self.decision.comparisons}

    def sign(self, arm: str) -> str:
        """The sign of an arm's verdict; none for the reference."""
        comparison = self.comparisons.get(arm)
        return SIGNS[comparison.verdict] if comparison else ""

    def marks(self, arm: str) -> str:
        """`*` for the best arm, `†` for the FDD paper's test."""
        return "*" * (arm in self.best) + "†" * self.figures[arm].dagger


@dataclass(frozen=True)
class MarginCheck:
    """Cross-entropy attacks against margin losses at one ε: shares of the attacked images that an arm keeps.

    `hidden` says whether the margin losses break more than noise allows.
    """

    arm: str
    level: float
    cross_entropy: float
    margin: float
    hidden: bool
    norm: str = "linf"

    @property
    def gap(self) -> float:
        """How much more the margin loss breaks."""
        return self.cross_entropy - self.margin


def columns(table: pd.DataFrame, study: Study, judge: Judge | None = None) -> list[Column]:
    """The columns that a table shows; see `places`.

    Args:
        table: By labels.
        study: Whose table it is.
        judge: Gives the verdicts; without it `decide` does, of a study that is looked at once.
    """
    rows = [(place, figures(table, study, *place)) for place in places(table, study)]
    return [
        Column({figure.arm: figure for figure in row}, decided(values_at(table, study, *place), study, place[0], judge))
        for place, row in rows
        if row
    ]


def places(table: pd.DataFrame, study: Study) -> list[tuple[str, float | None]]:
    """What a table shows: clean accuracy, each noise and attack at one middle level, and the worst case of each norm.

    What the user's own function has returned comes before them. Attacks are shown at the ε of their worst case's column
    where they ran at it, so that a row can be read across.
    """

    def middle(levels: Sequence[float]) -> float:
        return levels[(len(levels) - 1) // 2] if levels else math.nan

    shown: list[tuple[str, float | None]] = [(name, None) for name in (*returned(table, study), CLEAN)]
    shown += [(noise, middle(levels(table, noise))) for noise in study.evaluation.noise]
    for norm, worst in WORST.items():
        eps = middle(worst_levels(table, study, norm))
        for attack in attacks_in(study, norm):
            radii = levels(table, attack.label)
            shown.append((attack.label, eps if eps in radii else middle(radii)))
        shown.append((worst, eps))
    return shown


def values_at(table: pd.DataFrame, study: Study, measure: str, level: float | None) -> Values:
    """The values of every arm of the study, by seed, at one measure and level of a table by labels."""
    by_arm = _values(table, measure, level)
    return {arm.label: by_arm.get(arm.label, {}) for arm in study.arms}


def decided(values: Values, study: Study, label: str, judge: Judge | None = None) -> Decision:
    """The verdicts on the values of a study at the measure of that label; see `columns`."""
    if judge:
        return judge(label, values)
    measure = fitted(study, label, values)
    return decide(
        values,
        study.reference,
        measure.margin or 0.0,
        higher_is_better=measure.higher_is_better,
        scale=measure.scale,
    )


def counts(study: Study, label: str) -> bool:
    """Whether a measure has a part in the answer; a single attack has none, as the worst case is over all of them."""
    return all(label != attack.label for attack in study.evaluation.attacks)


def attacks_in(study: Study, norm: str) -> list[AttackSettings]:
    """The study's attacks of one norm."""
    return [attack for attack in study.evaluation.attacks if norm_of(attack) == norm]


def levels(table: pd.DataFrame, measure: str) -> list[float]:
    """The levels above 0 at which a measure was taken, in order."""
    return sorted({float(level) for level in table.loc[table["measure"] == measure, "level"] if level > 0})


def worst_levels(table: pd.DataFrame, study: Study, norm: str = "linf") -> list[float]:
    """The ε at which the worst case is one over all of a norm's attacks; if they share no ε, every one there is.

    Where only the weaker attacks ran, the worst case of those would pass for more than it is.
    """
    radii = levels(table, WORST[norm])
    shared = [eps for eps in radii if all(eps in attack.eps for attack in attacks_in(study, norm))]
    return shared or radii


def figures(table: pd.DataFrame, study: Study, measure: str, level: float | None = None) -> list[Figure]:
    """Every arm's figure at one measure and level of a table by labels, in the study's order; none without a value."""
    by_arm = _values(table, measure, level)
    reference = by_arm.get(study.reference, {})
    reading = fitted(study, measure, by_arm)
    uncorrected = [
        _figure(arm.label, reading, level, by_arm[arm.label], {} if arm.label == study.reference else reference)
        for arm in study.arms
        if arm.label in by_arm
    ]
    ps = {figure.arm: figure.p_exact for figure in uncorrected if figure.p_exact is not None}
    corrected = dict(zip(ps, st.holm(list(ps.values())), strict=True))
    return [replace(figure, p_holm=corrected.get(figure.arm), tests=max(1, len(ps))) for figure in uncorrected]


def margin_checks(table: pd.DataFrame, study: Study, images: int) -> list[MarginCheck]:
    """For every arm, norm and ε at which both ran: do margin losses break more than the best cross-entropy attack?

    Targeted attacks and those that read no gradient have no part in it.

    The gap counts as more than noise (`hidden`) when it is beyond 1.96 standard errors, the larger of the two kinds:
    over seeds, and over images. The one over images takes the two shares as independent, which on the same images
    overstates it: what is flagged is clear. `table` is by labels; `images` is how many were attacked, 0 if that isn't
    known: then only the seeds tell.
    """
    results = []
    for norm in WORST:
        untargeted = [attack for attack in attacks_in(study, norm) if "target" not in attack.settings]
        for eps in sorted({eps for attack in untargeted for eps in attack.eps if eps > 0}):
            kept: dict[str, list[Mapping[str, Mapping[int, float]]]] = {"cross-entropy": [], "margin": [], "score": []}
            for attack in untargeted:
                kept[ATTACKS.get(attack.name).loss].append(_values(table, attack.label, eps))
            for arm in study.arms:
                weak, strong = (_strongest(kept[loss], arm.label) for loss in ("cross-entropy", "margin"))
                if weak and strong:
                    results.append(_margin_check(arm.label, eps, norm, weak, strong, images))
    order = [arm.label for arm in study.arms]
    return sorted(results, key=lambda check: order.index(check.arm))


def _values(table: pd.DataFrame, measure: str, level: float | None) -> dict[str, dict[int, float]]:
    """Arm to seed to value."""
    rows = table[table["measure"] == measure]
    rows = rows[rows["level"].isna()] if level is None else rows[rows["level"] == level]
    by_arm: dict[str, dict[int, float]] = {}
    for arm, seed, value in zip(rows["arm"], rows["seed"], rows["value"], strict=True):
        by_arm.setdefault(arm, {})[int(seed)] = float(value)
    return by_arm


def _figure(
    arm: str, reading: Measure, level: float | None, by_seed: dict[int, float], reference: dict[int, float]
) -> Figure:
    values = tuple(by_seed.values())
    pairs = [(value, reference[seed]) for seed, value in by_seed.items() if seed in reference]
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    # The tests tell by its size what is rounding.
    unit = 1.0 if reading.scale == "share" else max(map(abs, [*a, *b]), default=0.0) or 1.0
    in_units = [x / unit for x in a], [x / unit for x in b]
    return Figure(
        arm,
        reading.name,
        level,
        values,
        math.fsum(values) / len(values),
        st.spread(values),
        difference=st.paired_difference(a, b) if pairs else None,
        p_exact=st.sign_flip(*in_units) if 0 < len(pairs) <= st.MOST_PAIRS else None,
        p_student=st.student_t(*in_units),
        seeds=tuple(by_seed),
        reading=reading,
    )


def _strongest(kept: Sequence[Mapping[str, Mapping[int, float]]], arm: str) -> dict[int, float]:
    """For each seed the least share that any of the attacks leaves; empty if none ran."""
    by_attack = [values[arm] for values in kept if arm in values]
    return {seed: min(values[seed] for values in by_attack) for seed in by_attack[0]} if by_attack else {}


def _margin_check(
    arm: str, eps: float, norm: str, weak: dict[int, float], strong: dict[int, float], images: int
) -> MarginCheck:
    n = len(strong)
    shares = math.fsum(weak.values()) / n, math.fsum(strong.values()) / n
    over_seeds = (st.spread([weak[seed] - strong[seed] for seed in strong]) or 0.0) / math.sqrt(n)
    over_images = math.hypot(*(st.binomial_error(share, images * n) for share in shares)) if images else 0.0
    hidden = shares[0] - shares[1] > 1.96 * max(over_seeds, over_images) + 1e-9
    return MarginCheck(arm, eps, *shares, hidden, norm)
