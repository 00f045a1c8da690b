"""The long table turned into figures: each arm against the reference arm, and each attack against the margin loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from dropover.lab.attacks import ATTACKS
from dropover.lab.judging import statistics as st
from dropover.lab.measuring.robustness import WORST, norm_of
from dropover.lab.study import AttackSettings, Study

CLEAN = "clean"


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
    seeds: tuple[int, ...] = ()
    """Which seeds the values are of; empty where they are of something else."""

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
    """Cross-entropy attacks against margin losses at one ε: shares of the attacked images that an arm keeps."""

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


def columns(table: pd.DataFrame, study: Study) -> list[Column]:
    """What the table shows: clean accuracy, each noise and attack at one middle level, and the worst case of each norm.

    Attacks are shown at the ε of their worst case's column where they ran at it, so that the row can be read across.
    """
    wanted: list[tuple[str, float | None]] = [(CLEAN, None)]
    for noise in study.evaluation.noise:
        own = levels(table, noise)
        wanted += [(noise, _middle(own))] if own else []
    for norm, worst in WORST.items():
        shown = worst_levels(table, study, norm)
        eps = _middle(shown) if shown else None
        for attack in attacks_in(study, norm):
            own = levels(table, attack.label)
            wanted += [(attack.label, eps if eps in own else _middle(own))] if own else []
        wanted += [(worst, eps)] if shown else []
    found = [_column(table, study, measure, level) for measure, level in wanted]
    return [column for column in found if column.figures]


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
    own = levels(table, WORST[norm])
    shared = [eps for eps in own if all(eps in attack.eps for attack in attacks_in(study, norm))]
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
    """For every arm, norm and ε at which both ran: do margin losses break more than the best cross-entropy attack?

    Targeted attacks and those that read no gradient have no part in it.

    The gap counts as more than noise (`hidden`) when it is beyond 1.96 standard errors, the larger of the two kinds:
    over seeds, and over images. The one over images takes the two shares as independent, which on the same images
    overstates it: what is flagged is clear.

    Args:
        table: The long table.
        study: The study it comes from.
        images: How many images were attacked, if known.
    """
    found = (
        _audit(table, arm.label, eps, norm, *_by_loss(study, norm, eps), images)
        for arm in study.arms
        for norm in WORST
        for eps in sorted({eps for attack in attacks_in(study, norm) for eps in attack.eps if eps > 0})
    )
    return [audit for audit in found if audit is not None]


def _by_loss(study: Study, norm: str, eps: float) -> tuple[list[str], list[str]]:
    """The labels of the untargeted attacks that ran at one ε on cross-entropy, and of those on a margin loss."""
    losses: dict[str, list[str]] = {"cross-entropy": [], "margin": [], "score": []}
    for attack in attacks_in(study, norm):
        if eps in attack.eps and "target" not in attack.settings:
            losses[ATTACKS.get(attack.name).loss].append(attack.label)
    return losses["cross-entropy"], losses["margin"]


def _middle(own: Sequence[float]) -> float:
    return own[(len(own) - 1) // 2]


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
    figure = Figure(arm, measure, level, own, math.fsum(own) / len(own), st.spread(own), seeds=tuple(values))
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
    table: pd.DataFrame, arm: str, eps: float, norm: str, weak: list[str], strong: list[str], images: int | None
) -> Audit | None:
    entropy, margin = _strongest(table, arm, weak, eps), _strongest(table, arm, strong, eps)
    if not margin or not entropy:
        return None
    n = len(margin)
    kept = math.fsum(entropy.values()) / n, math.fsum(margin.values()) / n
    errors = [(st.spread([entropy[seed] - margin[seed] for seed in margin]) or 0.0) / math.sqrt(n)]
    if images:
        errors.append(math.hypot(*(st.binomial_error(share, images * n) for share in kept)))
    return Audit(arm, eps, *kept, hidden=kept[0] - kept[1] > 1.96 * max(errors) + 1e-9, norm=norm)


def _strongest(table: pd.DataFrame, arm: str, attacks: Sequence[str], eps: float) -> dict[int, float]:
    """For each seed the least share that any of the attacks leaves; empty if none ran."""
    found = [values for values in (_by_seed(table, arm, label, eps) for label in attacks) if values]
    return {seed: min(values[seed] for values in found) for seed in found[0]} if found else {}
