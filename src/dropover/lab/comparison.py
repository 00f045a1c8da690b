"""The long table turned into figures: each arm against the reference arm, and each attack against the margin loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from dropover.lab import statistics as st
from dropover.lab.attacks import ATTACKS
from dropover.lab.study import Study

CLEAN, WORST = "clean", "worst"
MARGIN = "pgd-margin"
"""The attack whose loss is the margin between logits: scaling the logits up can't hide its gradient."""
CROSS_ENTROPY = ("fgsm", "bim", "pgd")


@dataclass(frozen=True)
class Figure:
    """One arm at one measure and level, over its seeds, and against the reference arm over the seeds both have.

    Shares are in [0, 1]. `p_exact` is the exact paired sign-flip test, `p_holm` the same after Holm's correction over
    the `tests` arms tested, `p_student` the FDD paper's unpaired t-test. All are None for the reference arm itself.
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

    @property
    def dagger(self) -> bool:
        """Whether the FDD paper would mark it †: above the reference, by Student's t-test at 0.05."""
        better = self.difference is not None and self.difference.mean > 0
        return better and self.p_student is not None and self.p_student < st.ALPHA


@dataclass(frozen=True)
class Column:
    """One column of the table: a measure at one level, every arm's figure at it, and which arms are best."""

    measure: str
    level: float | None
    figures: dict[str, Figure]
    best: frozenset[str]


@dataclass(frozen=True)
class Audit:
    """Cross-entropy attacks against the margin loss at one ε: shares of the attacked images that an arm keeps."""

    arm: str
    level: float
    cross_entropy: float
    margin: float
    hidden: bool

    @property
    def gap(self) -> float:
        """How much more the margin loss breaks."""
        return self.cross_entropy - self.margin


def columns(table: pd.DataFrame, study: Study) -> list[Column]:
    """What the table shows: clean accuracy, each noise and attack at one middle level, and the worst case.

    Attacks are shown at the ε of the worst case's column where they ran at it, so that the row can be read across.
    """
    shown = worst_levels(table, study)
    eps = shown[(len(shown) - 1) // 2] if shown else None
    found = [_column(table, study, CLEAN, None)]
    attacks = [attack.name for attack in study.evaluation.attacks]
    for measure in [*study.evaluation.noise, *attacks, *([WORST] if attacks else [])]:
        own = shown if measure == WORST else levels(table, measure)
        if own:
            level = eps if measure in (*attacks, WORST) and eps in own else own[(len(own) - 1) // 2]
            found.append(_column(table, study, measure, level))
    return [column for column in found if column.figures]


def levels(table: pd.DataFrame, measure: str) -> list[float]:
    """The levels above 0 at which a measure was taken, in order."""
    return sorted({float(level) for level in table.loc[table["measure"] == measure, "level"] if level > 0})


def worst_levels(table: pd.DataFrame, study: Study) -> list[float]:
    """The ε at which the worst case is one over all of the study's attacks; if they share no ε, every one there is.

    Where only the weaker attacks ran, the worst case of those would pass for more than it is.
    """
    own = levels(table, WORST)
    shared = [eps for eps in own if all(eps in attack.eps for attack in study.evaluation.attacks)]
    return shared or own


def figures(table: pd.DataFrame, study: Study, measure: str, level: float | None = None) -> list[Figure]:
    """Every arm's figure at one measure and level, in the study's order; arms without a value are left out."""
    by_arm = {arm.label: _by_seed(table, arm.label, measure, level) for arm in study.arms}
    reference = by_arm[study.reference]
    found = [
        _figure(arm, measure, level, values, {} if arm == study.reference else reference)
        for arm, values in by_arm.items()
        if values
    ]
    tested = {figure.arm: figure.p_exact for figure in found if figure.p_exact is not None}
    adjusted = dict(zip(tested, st.holm(list(tested.values())), strict=True))
    return [replace(figure, p_holm=adjusted.get(figure.arm), tests=max(1, len(tested))) for figure in found]


def audits(table: pd.DataFrame, study: Study, images: int | None) -> list[Audit]:
    """For every arm and ε at which both ran: does the margin loss break more than the best cross-entropy attack?

    The gap counts as more than noise (`hidden`) when it is beyond 1.96 standard errors, the larger of the two kinds:
    over seeds, and over images. The one over images takes the two shares as independent, which on the same images
    overstates it: what is flagged is clear.

    Args:
        table: The long table.
        study: The study it comes from.
        images: How many images were attacked, if known.
    """
    names = {attack.name: ATTACKS.get(attack.name).name for attack in study.evaluation.attacks}
    weak = [name for name, known_as in names.items() if known_as in CROSS_ENTROPY]
    margin = [name for name, known_as in names.items() if known_as == MARGIN]
    found = (
        _audit(table, arm.label, eps, weak, name, images)
        for arm in study.arms
        for name in margin
        for eps in levels(table, name)
    )
    return [audit for audit in found if audit is not None]


def _column(table: pd.DataFrame, study: Study, measure: str, level: float | None) -> Column:
    found = figures(table, study, measure, level)
    return Column(measure, level, {figure.arm: figure for figure in found}, _best(found))


def _best(found: Sequence[Figure]) -> frozenset[str]:
    """The arms with the highest mean, ties included; none where all are equal."""
    means = {figure.arm: round(figure.mean, 9) for figure in found}
    if len(set(means.values())) < 2:
        return frozenset()
    return frozenset(arm for arm, mean in means.items() if mean == max(means.values()))


def _by_seed(table: pd.DataFrame, arm: str, measure: str, level: float | None) -> dict[int, float]:
    rows = table[(table["arm"] == arm) & (table["measure"] == measure)]
    rows = rows[rows["level"].isna()] if level is None else rows[rows["level"] == level]
    return {int(seed): float(value) for seed, value in zip(rows["seed"], rows["value"], strict=True)}


def _figure(
    arm: str, measure: str, level: float | None, values: dict[int, float], reference: dict[int, float]
) -> Figure:
    own = tuple(values.values())
    figure = Figure(arm, measure, level, own, math.fsum(own) / len(own), st.spread(own))
    both = [seed for seed in values if seed in reference]
    if not both:
        return figure
    a, b = [values[seed] for seed in both], [reference[seed] for seed in both]
    return replace(
        figure,
        difference=st.paired_difference(a, b),
        p_exact=st.sign_flip(a, b) if len(both) <= st.MOST_PAIRS else None,
        p_student=st.student_t(a, b),
    )


def _audit(
    table: pd.DataFrame, arm: str, eps: float, weak: Sequence[str], strong: str, images: int | None
) -> Audit | None:
    margin = _by_seed(table, arm, strong, eps)
    others = [values for values in (_by_seed(table, arm, name, eps) for name in weak) if values]
    if not margin or not others:
        return None
    strongest = {seed: min(values[seed] for values in others) for seed in margin}
    n = len(margin)
    kept = math.fsum(strongest.values()) / n, math.fsum(margin.values()) / n
    errors = [(st.spread([strongest[seed] - margin[seed] for seed in margin]) or 0.0) / math.sqrt(n)]
    if images:
        errors.append(math.hypot(*(st.binomial_error(share, images * n) for share in kept)))
    return Audit(arm, eps, *kept, hidden=kept[0] - kept[1] > 1.96 * max(errors) + 1e-9)
