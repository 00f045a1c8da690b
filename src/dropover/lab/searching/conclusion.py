"""A search's end in words: what is shown to be better than nothing, what audits leave, and what none has checked."""

from collections.abc import Collection, Sequence

from dropover.lab.auditing.verdict import BROKEN
from dropover.lab.judging.measures import Measure, measure_of
from dropover.lab.judging.soundness import LEGEND
from dropover.lab.searching.audited import unaudited_line
from dropover.lab.searching.ending import Figure
from dropover.lab.study import Study


def answer(figures: Sequence[Figure], winners: Collection[str], study: Study) -> list[str]:
    """Of each objective which of the arms that were found are shown to be better; then those that are at every one."""
    none = f"“{study.reference}”"  # the usual name is a word that would turn the sense of a sentence round
    if not winners:
        return [f"The search found nothing beside {none}."]
    lines, everywhere = [], list(winners)
    for words, row in _by_objective(figures).items():
        reading = measure_of(study, row[0].objective.label)
        found = [each for each in row if each.arm in winners]
        better = [each for each in found if each.verdict == "better"]
        sound = [each for each in better if not each.warning]
        if sound:
            line = f"Better than {none} at {words}: {_sizes(sound, reading)}"
        elif better:
            arms = ", ".join(each.arm for each in better)
            line = f"At {words} nothing can be recommended: the audit doesn't support the figure of {arms}"
        else:
            line = f"At {words} nothing that was found is shown to be better than {none}"
        worse = [each for each in found if each.verdict == "worse"]
        lines.append(f"{line}{'; worse: ' * bool(worse)}{_sizes(worse, reading)}.")
        everywhere = [arm for arm in everywhere if arm in [each.arm for each in sound]]
    if everywhere and len(lines) > 1:
        lines.append(f"Better at every objective: {', '.join(everywhere)}.")
    return lines


def warnings(figures: Sequence[Figure], winners: Collection[str], study: Study) -> list[str]:
    """Which figures of what was found are not to be believed, and which objectives under attack nobody has checked."""
    found = [each for each in figures if each.arm in winners]
    failed = {each.arm: each.failed for each in found if each.failed}
    lines = [
        f"{arm} failed with {count} of the fresh seeds, and its figures are of the others."
        for arm, count in failed.items()
    ]
    lines += [each.warning for each in found if each.warning]
    for words, row in _by_objective(figures).items():
        none = next((each.soundness for each in row if each.arm == study.reference), None)
        if none is not None and none.verdict == BROKEN:
            line = f"The study's attacks are too weak at {words}: even “{study.reference}” falls further in its audit"
            remedy = f"Add a stronger one such as apgd-dlr, or search for “audit {none.norm} {none.level:g}”"
            lines.append(f"{line}. {remedy}.")
    missing = [unaudited_line(each.objective, each.unaudited) for each in figures if each.unaudited]
    return [*lines, *dict.fromkeys(missing)]


def audits(figures: Sequence[Figure]) -> list[str]:
    """What audits leave at each objective under attack, and what the marks mean; nothing where none was made."""
    lines = []
    for words, row in _by_objective(figures).items():
        said = [each.soundness.said(each.arm) for each in row if each.soundness is not None]
        if said:
            lines.append(f"Audit at {words}, what it leaves: {'; '.join(said)}.")
    return [*lines, LEGEND] if lines else []


def _sizes(figures: Sequence[Figure], reading: Measure) -> str:
    return ", ".join(f"{each.arm} (by {reading.size(each.gain)})" for each in figures)


def _by_objective(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    rows: dict[str, list[Figure]] = {}
    for each in figures:
        rows.setdefault(each.objective.words, []).append(each)
    return rows
