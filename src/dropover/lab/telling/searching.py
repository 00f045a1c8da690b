"""What a search says, in lines: what it is about to do, what it found, and how much too good that was."""

from collections.abc import Collection, Sequence

from dropover.lab.judging.measures import Measure, measure_of
from dropover.lab.searching.audited import audited_at, unaudited, unaudited_line
from dropover.lab.searching.conclusion import answer, audits, warnings
from dropover.lab.searching.ending import Figure
from dropover.lab.searching.reading import Plan
from dropover.lab.searching.search import Found
from dropover.lab.study import Study


def said_at_first(plan: Plan) -> list[str]:
    """What is searched, what it may cost, and which of its figures no audit will check."""
    search, places = plan.file.search, dict.fromkeys(word for there in plan.space.places.values() for word in there)
    budget = f"{search.trials} trials" if search.trials is not None else f"{search.time}"
    wanted = ", ".join(each.words for each in plan.objectives)
    about = (
        f"{plan.file.study.name}: {len(plan.space.places)} methods at {', '.join(places)}, for {wanted}; {budget}, "
        f"proposed by {search.sampler}; its end on test images comes on top"
    )
    end = audited_at(plan.file.tested, plan.objectives)
    reasons = {each: unaudited(each, end) for each in plan.objectives}
    return [about, *(unaudited_line(each, reason) for each, reason in reasons.items() if reason)]


def said_before_the_end(found: Found) -> str:
    """What the search has found by itself."""
    if not found.winners:
        return "Nothing is on the front but no regularizer. Each method as published, on fresh seeds and test images:"
    seeds = len(found.raced)
    return f"On the front over {seeds} seeds: {'; '.join(found.winners)}. Now on fresh seeds and test images:"


def said_at_the_end(figures: Sequence[Figure], winners: Collection[str], study: Study) -> list[str]:
    """Every arm of the end; of the winners how much better the search saw them than they are; and the answer."""
    lines = ["On test images and fresh seeds, with 95 % intervals over seeds:"]
    for arm in dict.fromkeys(each.arm for each in figures):
        said = "; ".join(_figure(each, _reading(study, each)) for each in figures if each.arm == arm)
        lines.append(f"{'*' if arm in winners else ' '} {arm}: {said}")
    found = [each for each in figures if each.arm in winners]
    lines += [*(["* found by the search."] if found else []), *audits(figures)]
    lines += [_optimism(each, _reading(study, each)) for each in found]
    return [*lines, *answer(figures, winners, study), *warnings(figures, winners, study)]


def _figure(figure: Figure, reading: Measure) -> str:
    interval = f"{reading.figure(figure.low)} to {reading.figure(figure.high)}"
    mark = f" {figure.soundness.mark}" if figure.soundness else ""
    return f"{figure.objective.words} {reading.value(figure.fresh)}{mark} ({interval})"


def _optimism(figure: Figure, reading: Measure) -> str:
    assert figure.searched is not None
    assert figure.optimism is not None
    said = f"the search saw {reading.value(figure.searched)}, fresh seeds have {reading.value(figure.fresh)}"
    lead = figure.optimism_of_gain
    of_lead = "" if lead is None else f"; of its lead over none: {reading.difference(lead)}"
    return (
        f"Optimism of {figure.arm} at {figure.objective.words}: {reading.difference(figure.optimism)} ({said}){of_lead}"
    )


def _reading(study: Study, figure: Figure) -> Measure:
    return measure_of(study, figure.objective.label)
