"""What the figures say, in plain words, and what they can't say."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import pandas as pd

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import SIGNS, Figure, MarginCheck
from dropover.lab.judging.deciding import Comparison
from dropover.lab.judging.measures import Measure
from dropover.lab.judging.soundness import MARKS, Soundness
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import PER_SECOND
from dropover.lab.study import Study


def verdict(comparison: Comparison, reading: Measure) -> str:
    """A verdict with its simultaneous interval, in words: "worse than none by 1.8 points (…)".

    Args:
        comparison: What was decided.
        reading: How the values are read, and within which margin they are level.
    """
    d, other = comparison.difference, comparison.reference
    if d is None:
        return "undecided"
    said = {
        "better": f"better than {other} by {reading.size(d)}",
        "worse": f"worse than {other} by {reading.size(d)}",
        "level": f"level with {other} within ±{reading.within}",
        "undecided": f"undecided, {reading.distance(d)} {other}",
    }[comparison.verdict]
    if comparison.low is None or comparison.high is None:
        return said
    low, high = reading.difference(comparison.low), reading.difference(comparison.high)
    return f"{said} (95 % simultaneous interval {low} to {high})"


def wanting(comparison: Comparison) -> list[str]:
    """What a comparison lacks: seeds that would decide it, seeds that only one of the two arms has."""
    said = []
    if comparison.seeds_needed is not None:
        more = comparison.seeds_needed - comparison.seeds
        said.append(f"About {more} more seed{'s' * (more > 1)} would decide it.")
    if left := comparison.left_out:
        seeds = f"seed{'s' * (len(left) > 1)} {', '.join(map(str, left))}"
        said.append(f"Only one of the two has {seeds}: no pair.")
    return said


def grounds(comparison: Comparison) -> str:
    """How a verdict came about and what it rests on."""
    method = f"Judged by: {comparison.method}. " if comparison.method else ""
    return " ".join([f"{method}{comparison.why}", *wanting(comparison)])


def against_reference(figure: Figure, reference: str) -> str:
    """An arm's figure beside the reference arm's by itself, with the paired interval and the exact test."""
    name = figure.measure if figure.level is None else f"{figure.measure} at {figure.level:g}:"
    d, reading = figure.difference, figure.reading
    if d is None:
        return f"{name} {reading.value(figure.mean)}."
    start = f"{name} {reading.value(figure.mean)}, {reading.distance(d.mean)} {reference}"
    if d.low is None or d.high is None:
        return f"{start} (one seed: no spread is known, so nothing can be said beyond that seed)."
    low, high = reading.difference(d.low), reading.difference(d.high)
    return f"{start} (95 % interval {low} to {high}; {d.n} seeds). {_exact(figure, d)}"


def _exact(figure: Figure, d: st.Difference) -> str:
    if figure.p_exact is None or figure.p_holm is None:
        return f"The exact test is for up to {st.MOST_PAIRS} seeds; with {d.n} the interval says it."
    test = f"Exact paired test: p = {figure.p_exact:.2g}"
    smallest = st.smallest_possible_p(d.n)
    if smallest >= st.ALPHA:
        if figure.p_exact <= smallest:
            return f"{test}, the smallest that {d.n} seeds can give: by itself it can't show a difference."
        return f"{test} ({d.n} seeds can't go below {smallest:g}): by itself it can't show a difference."
    if figure.tests > 1:
        test += f", {figure.p_holm:.2g} after Holm's correction for {figure.tests} arms"
    if figure.p_holm < st.ALPHA:
        return f"{test}: it shows a difference."
    effect = st.detectable_effect(d.std or 0.0, d.n)
    power = f"; {d.n} seeds find one of {figure.reading.amount(effect)} four times in five" if effect else ""
    return f"{test}: by itself it shows no difference{power}."


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
    n, tests, reading = min(d.n for d in differences), len(differences), row[0].reading
    if n == 1:
        return ["One seed says nothing about chance: another seed may turn every order here round."]
    alone, together, smallest = st.pairs_needed(), st.pairs_needed(tests), st.smallest_possible_p(n)
    start = f"With {n} seeds the exact paired test can"
    if smallest >= st.ALPHA:
        corrected = f" ({together} after Holm's correction for {tests} arms)" if together > alone else ""
        lines = [
            f"{start}'t go below p = {smallest:g}: by this test alone no difference can be significant, however large, "
            f"with fewer than {alone} seeds{corrected}."
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
            f"At the spread of this study, {n} seeds find a true difference of {reading.amount(effect)} in "
            f"{'clean accuracy' if reading.of_images else reading.name} four times in five (paired t-test at 0.05). "
            "A smaller one may be there and not show."
        )
    return lines


def robustness(margin_checks: Sequence[MarginCheck], worst: Sequence[Figure], attacks: Sequence[str]) -> list[str]:
    """How far to believe an arm's figures under attack.

    Args:
        margin_checks: What the margin loss did to the arm, at each ε.
        worst: The arm's worst case over all attacks of a norm, one figure for each ε without an audit.
        attacks: The labels of the attacks that were run.
    """
    lines = []
    if gaps := [
        f"{100 * check.gap:.1f} points more at ε = {_radius(check)}" for check in margin_checks if check.hidden
    ]:
        lines.append(
            f"The cross-entropy figure is an upper bound: a margin loss breaks {', '.join(gaps)}. "
            "Gradients are partly hidden."
        )
    if honest := [_radius(check) for check in margin_checks if not check.hidden]:
        lines.append(f"The cross-entropy figure survives the margin loss at ε = {', '.join(honest)}.")
    if not worst:
        return lines
    if not margin_checks:
        lines.append(
            "Not checked with a margin loss: that needs one attack on it, such as pgd-margin, and one without."
        )
    kept = ", ".join(
        f"{each.reading.value(each.mean)} at ε = {each.level or 0:g}{' (L2)' if each.measure == WORST['l2'] else ''}"
        for each in worst
    )
    return [
        *lines,
        f"To believe: the worst over all attacks, image by image: {kept}. "
        f"Still an upper bound: only {', '.join(attacks)} {'was' if len(attacks) == 1 else 'were'} tried.",
    ]


def audited(found: Soundness) -> str:
    """What the audits of an arm's seeds came to, in a sentence."""
    where = f"ε = {found.level:g}{' (L2)' * (found.norm == 'l2')}"
    counts = Counter(found.verdicts.values())
    several = len(found.verdicts) > 1
    seeds = ", ".join(f"{name}{f' ({counts[name]} seeds)' if several else ''}" for name in MARKS if counts[name])
    grounds = f": {found.grounds}" if found.grounds else ""
    return f"Audit at {where}: {found.mark} {seeds}; it leaves {100 * found.accuracy:.1f} %{grounds}."


def _radius(check: MarginCheck) -> str:
    return f"{check.level:g}" + (" (L2)" if check.norm == "l2" else "")


def margin_headline(margin_checks: Sequence[MarginCheck]) -> str | None:
    """Where the margin loss breaks clearly more than cross-entropy does, over all arms; None if not checked."""
    if not margin_checks:
        return None
    where: dict[str, list[str]] = {}
    for check in margin_checks:
        if check.hidden:
            where.setdefault(check.arm, []).append(_radius(check))
    if not where:
        return (
            "Attacks: at no ε does a margin loss break clearly more than cross-entropy does; "
            "no sign of hidden gradients."
        )
    arms = "; ".join(f"{arm} (ε = {', '.join(eps)})" for arm, eps in where.items())
    return f"Attacks: gradients are partly hidden, and cross-entropy figures too high, in {arms}."


def legend(study: Study, readings: Sequence[Measure] = ()) -> str:
    """What the signs and marks in the table mean, and what they don't.

    Args:
        study: The study.
        readings: How its measures are read, where they aren't all shares of images.
    """
    signs = ", ".join(f"{sign} {word}" for word, sign in SIGNS.items())
    margin = "" if readings else f" level is within ±{study.margin:g} points;"
    return (
        f"Against {study.reference}: {signs};{margin} all verdicts of a column are right in 95 of 100 studies. "
        f"{''.join(f'{line} ' for line in directions(readings))}* best mean of the column. "
        f"† {'better than' if readings else 'above'} {study.reference} by the papers' test "
        "(Student's t, unpaired, p < 0.05, not corrected for the number of arms). ± is the standard deviation of "
        f"seeds. {_judged_by(readings)}"
    ).rstrip()


def directions(readings: Sequence[Measure]) -> list[str]:
    """Which way each measure is better and within which margin arms are level; those that agree in one sentence."""
    names: dict[str, list[str]] = {}
    for each in readings:
        note = f" ({each.note})" if each.note else ""
        said = names.setdefault(f"{each.direction}, level is within ±{each.within}{note}.", [])
        said += [] if each.name in said else [each.name]
    return [f"{', '.join(said)}: {what}" for what, said in names.items()]


def _judged_by(readings: Sequence[Measure]) -> str:
    """What differences are, where they aren't those of the means."""
    end = "and are not those of the means where seeds differ much."
    if not readings:
        return f"Differences are judged by odds, {end}"
    scales = {each.scale for each in readings}
    by = [text for scale, text in (("share", "by odds (shares)"), ("loss", "by ratios (losses)")) if scale in scales]
    return f"Differences are judged {' and '.join(by)}, {end}" if by else ""
