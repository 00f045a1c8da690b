"""What the figures say, in plain words, and what they can't say."""

from collections.abc import Sequence
from statistics import median

import pandas as pd

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import Audit, Column, Figure
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import CLEAN, PER_SECOND
from dropover.lab.study import Study

_HEADLINES = {
    CLEAN: "Clean accuracy",
    WORST["linf"]: "Worst of all attacks at ε = {}",
    WORST["l2"]: "Worst of all attacks in L2 at ε = {}",
}


def percent(share: float) -> str:
    """A share as a percentage: `97.8 %`."""
    return f"{100 * share:.1f} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: `+0.4`."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def against_reference(figure: Figure, reference: str) -> str:
    """An arm's figure beside the reference arm's, with the interval and the exact test."""
    name = figure.measure if figure.level is None else f"{figure.measure} at {figure.level:g}:"
    d = figure.difference
    if d is None:
        return f"{name} {percent(figure.mean)}."
    start = f"{name} {percent(figure.mean)}, {_distance(d.mean)} {reference}"
    if d.low is None or d.high is None:
        return f"{start} (one seed: no spread is known, so nothing can be said beyond that seed)."
    return f"{start} (95 % interval {points(d.low)} to {points(d.high)}; {d.n} seeds). {_exact(figure, d)}"


def _distance(mean: float) -> str:
    text = points(mean)
    if text == "0.0":
        return "level with"
    return f"{text} points over" if mean > 0 else f"{text.removeprefix('−')} points under"


def _exact(figure: Figure, d: st.Difference) -> str:
    if figure.p_exact is None or figure.p_holm is None:
        return f"The exact test is for up to {st.MOST_PAIRS} seeds; with {d.n} the interval says it."
    test = f"Exact paired test: p = {figure.p_exact:.2g}"
    smallest = st.smallest_possible_p(d.n)
    if smallest >= st.ALPHA:
        if figure.p_exact <= smallest:
            return f"{test}, the smallest that {d.n} seeds can give: no verdict."
        return f"{test} ({d.n} seeds can't go below {smallest:g}): no verdict."
    if figure.tests > 1:
        test += f", {figure.p_holm:.2g} after Holm's correction for {figure.tests} arms"
    if figure.p_holm < st.ALPHA:
        return f"{test}: a difference."
    effect = st.detectable_effect(d.std or 0.0, d.n)
    power = f"; {d.n} seeds find one of {100 * effect:.1f} points four times in five" if effect else ""
    return f"{test}: no difference shown{power}."


def throughput(table: pd.DataFrame) -> list[str]:
    """How fast nets were trained and attacked: the median over trials, in a process of one thread."""
    medians = table.groupby("measure")["value"].median()
    speeds = [
        f"{verb} {medians[measure]:,.0f} images/s{note}"
        for measure, verb, note in (
            ("images_per_second", "trained on", ""),
            (PER_SECOND, "attacked", " (each ε of each attack counted)"),
        )
        if measure in medians
    ]
    return [f"Speed: a process of one thread {' and '.join(speeds)}, the median over trials."] if speeds else []


def about_the_test(row: Sequence[Figure]) -> list[str]:
    """What the exact paired test can and can't say with as many seeds as these figures have, for any outcome."""
    differences = [figure.difference for figure in row if figure.difference is not None]
    if not differences:
        return ["There is no other arm to compare with the reference yet."]
    n, tests = min(d.n for d in differences), len(differences)
    if n == 1:
        return ["One seed says nothing about chance: another seed may turn every order here round."]
    alone, together, smallest = st.pairs_needed(), st.pairs_needed(tests), st.smallest_possible_p(n)
    start = f"With {n} seeds the exact paired test can"
    if smallest >= st.ALPHA:
        corrected = f" ({together} after Holm's correction for {tests} arms)" if together > alone else ""
        lines = [
            f"{start}'t go below p = {smallest:g}: no difference can be significant, however large, with fewer than "
            f"{alone} seeds{corrected}."
        ]
    elif n < together:
        lines = [
            f"{start} go down to p = {smallest:.2g}: enough for one comparison, too few after Holm's correction for "
            f"{tests} arms, which takes {together} seeds."
        ]
    else:
        lines = [f"{start} go down to p = {smallest:.2g}, enough for {tests} arms."]
    if effect := st.detectable_effect(median(d.std or 0.0 for d in differences), n):
        lines.append(
            f"At the spread of this study, {n} seeds find a true difference of {100 * effect:.1f} points in clean "
            "accuracy four times in five (paired t-test at 0.05). A smaller one may be there and not show."
        )
    return lines


def headline(column: Column, reference: str) -> str:
    """Which arm has the most at one column, and which arms the intervals set apart from the reference."""
    at = f"{column.level or 0:g}"
    name = _HEADLINES.get(column.measure, f"{column.measure.capitalize()} at {{}}").format(at)
    if not column.best:
        return f"{name}: every arm has {percent(next(iter(column.figures.values())).mean)}."
    top = column.figures[column.best[0]]
    verb = "has" if len(column.best) == 1 else "have"
    start = f"{name}: {' and '.join(column.best)} {verb} the most, {percent(top.mean)}"
    if reference not in column.best:
        if top.difference is None:
            return f"{start}."
        verb = "shows" if top.p_holm is not None and top.p_holm < st.ALPHA else "doesn't show"
        start = f"{start}, {_distance(top.difference.mean)} {reference}; the exact test {verb} it"
    return f"{start}. {_set_apart(column, reference)}"


def _set_apart(column: Column, reference: str) -> str:
    """The arms whose 95 % interval of the difference leaves out 0, in a sentence."""
    differences = {arm: figure.difference for arm, figure in column.figures.items() if figure.difference is not None}
    if all(d.low is None for d in differences.values()):
        return "One seed gives no interval."
    sides = {
        "over": [arm for arm, d in differences.items() if d.low is not None and d.low > 0],
        "under": [arm for arm, d in differences.items() if d.high is not None and d.high < 0],
    }
    if not any(sides.values()):
        return f"By their 95 % intervals every arm could be level with {reference}."
    arms_apart = (f"{', '.join(arms)} {side} {reference}" for side, arms in sides.items() if arms)
    return f"By their 95 % intervals: {'; '.join(arms_apart)}."


def robustness(audits: Sequence[Audit], worst: Sequence[Figure], attacks: Sequence[str]) -> list[str]:
    """How far to believe an arm's figures under attack.

    Args:
        audits: What the margin loss did to the arm, at each ε.
        worst: The arm's worst case over all attacks of a norm, one figure for each ε.
        attacks: The labels of the attacks that were run.
    """
    lines = []
    if gaps := [f"{100 * audit.gap:.1f} points more at ε = {_radius(audit)}" for audit in audits if audit.hidden]:
        lines.append(
            f"The cross-entropy figure is an upper bound: a margin loss breaks {', '.join(gaps)}. "
            "Gradients are partly hidden."
        )
    if honest := [_radius(audit) for audit in audits if not audit.hidden]:
        lines.append(f"The cross-entropy figure survives the margin loss at ε = {', '.join(honest)}.")
    if not worst:
        return lines
    if not audits:
        lines.append(
            "Not checked with a margin loss: that needs one attack on it, such as pgd-margin, and one without."
        )
    kept = ", ".join(
        f"{percent(figure.mean)} at ε = {figure.level or 0:g}{' (L2)' if figure.measure == WORST['l2'] else ''}"
        for figure in worst
    )
    return [
        *lines,
        f"To believe: the worst over all attacks, image by image: {kept}. "
        f"Still an upper bound: only {', '.join(attacks)} {'was' if len(attacks) == 1 else 'were'} tried.",
    ]


def _radius(audit: Audit) -> str:
    return f"{audit.level:g}" + (" (L2)" if audit.norm == "l2" else "")


def audit_headline(audits: Sequence[Audit]) -> str | None:
    """Where the margin loss breaks clearly more than cross-entropy does, over all arms; None if not checked."""
    if not audits:
        return None
    where: dict[str, list[str]] = {}
    for audit in audits:
        if audit.hidden:
            where.setdefault(audit.arm, []).append(_radius(audit))
    if not where:
        return (
            "Attacks: at no ε does a margin loss break clearly more than cross-entropy does; "
            "no sign of hidden gradients."
        )
    arms = "; ".join(f"{arm} (ε = {', '.join(eps)})" for arm, eps in where.items())
    return f"Attacks: gradients are partly hidden, and cross-entropy figures too high, in {arms}."


def dagger_legend(study: Study) -> str:
    """What the † in the table means, and what it does not."""
    return (
        f"† above {study.reference} by the papers' test (Student's t, unpaired, p < 0.05, not corrected for the number "
        f"of arms). * best mean of the column; ± is the standard deviation over seeds."
    )
