"""The answer in words, for whoever knows no statistics: what to use for which images or measure, and what that costs.

Nothing is said here that the verdicts don't hold. Differences are arm − reference, in the measure's own units.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dropover.lab.judging.comparison import Column, MarginCheck, counts
from dropover.lab.judging.deciding import Comparison
from dropover.lab.judging.soundness import Soundness
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import CLEAN
from dropover.lab.study import Study

LISTED = 4
"""Of more arms than this in one place only the number is said."""
FAR = 100
"""Of more seeds than this that are wanting no number is said."""


@dataclass(frozen=True, eq=False)
class Conclusion:
    """What a study's columns say together.

    Attributes:
        study: The study.
        columns: What was decided; those of single attacks have no part, as the worst case is over all of them.
        margin_checks: Cross-entropy attacks against margin losses.
        soundness: What audits say of every arm's figure, by the measure and level of its column.
    """

    study: Study
    columns: Sequence[Column]
    margin_checks: Sequence[MarginCheck]
    soundness: Mapping[tuple[str, float | None], Mapping[str, Soundness]] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """The answer: what helps on each measure, under noise and under attack; what is level, and what undecided."""
        if self._nothing:
            return [self._nothing]
        missing = [arm.label for arm in self.study.arms if not any(arm.label in each.figures for each in self._told)]
        absent = f"There is no result of {_listed(missing)}." if missing else ""
        said = [*(self._sentence(*each) for each in self._kinds.items()), self._level, self._undecided, absent]
        said += self._partial
        return [line for line in said if line]

    @property
    def _partial(self) -> list[str]:
        """The measures that only some of the arms have that have any."""
        there = [arm.label for arm in self.study.arms if any(arm.label in each.figures for each in self._told)]
        lacking = {each.measure: [arm for arm in there if arm not in each.figures] for each in self._told}
        return [f"There is no {measure} of {_listed(arms)}." for measure, arms in lacking.items() if arms]

    @property
    def is_open(self) -> bool:
        """Whether more seeds would tell more."""
        return any(each.seeds > 0 for column in self._told for each in column.decision.of("undecided"))

    @cached_property
    def _told(self) -> list[Column]:
        """The columns that count."""
        return [column for column in self.columns if counts(self.study, column.measure)]

    @cached_property
    def _kinds(self) -> dict[str, list[Column]]:
        """The columns by what begins their sentence."""
        kinds: dict[str, list[Column]] = {}
        for column in self._told:
            kinds.setdefault(_kind(column), []).append(column)
        return kinds

    @property
    def _reference(self) -> str:
        """In quotes: the usual name is a word that would turn the sense of a sentence round."""
        return f"“{self.study.reference}”"

    @cached_property
    def _nothing(self) -> str:
        """Why there is nothing to compare; empty if there is."""
        seeds = [each.seeds for column in self._told for each in column.decision.comparisons]
        if len(self.study.arms) == 1:
            return f"There is no other arm to compare with {self._reference}."
        if not any(self.study.reference in column.figures for column in self._told):
            return f"Nothing can be compared: there is no result of the reference {self._reference}."
        if max(seeds) == 0:
            return f"Nothing can be compared: no other arm has a result with a seed that {self._reference} has."
        if max(seeds) == 1:
            return (
                "Nothing is decided: arms can be compared at one seed, and another seed may turn any order round. "
                "It takes three to begin with, and more for small differences."
            )
        return ""

    def _sentence(self, kind: str, columns: Sequence[Column]) -> str:
        """Which arm to take on a measure, under noise or under attack, and what it costs elsewhere."""
        leads: dict[str, list[Column]] = {}
        says: dict[str, list[str]] = {}
        for column in columns:
            good, doubted = self._better(column)
            if good:
                leads.setdefault(good[0].arm, []).append(column)
            elif not doubted:
                says.setdefault(self._without_lead(column), []).append(_condition(column))
            for doubt, arms in doubted.items():
                said = f"{_listed(arms)} look{'s' * (len(arms) == 1)} better, but {doubt}"
                said = said if good else f"no arm can be recommended: {said}"
                says.setdefault(said, []).append(_condition(column))
        parts = [self._lead(*each) for each in leads.items()]
        parts += [f"{said}{_in_brackets(_listed(where))}" for said, where in says.items()]
        # Elsewhere the table says it, and what is said of an arm to take.
        for column in columns:
            worse = sorted(column.decision.of("worse"), key=lambda each: _gain(column, each))
            if worse and column.level is None:
                parts.append(f"worse: {_several([f'{each.arm} ({_size(column, each)})' for each in worse])}")
        return f"{kind}: {'; '.join(parts)}."

    def _better(self, column: Column) -> tuple[list[Comparison], dict[str, list[str]]]:
        """The arms that are better and can be recommended, the best first; and by what speaks against it the others."""
        good: list[Comparison] = []
        doubted: dict[str, list[str]] = {}
        for each in sorted(column.decision.of("better"), key=lambda each: _gain(column, each), reverse=True):
            if doubt := self._doubt(column, each.arm):
                doubted.setdefault(doubt, []).append(each.arm)
            else:
                good.append(each)
        return good, doubted

    def _lead(self, arm: str, columns: Sequence[Column]) -> str:
        """An arm to take where it is the first of those that are better, what it costs, and who is better too."""
        gains = [f"{_size(each, each.comparisons[arm])}{_in_brackets(_condition(each))}" for each in columns]
        others = [
            f"{each.arm} ({', '.join(filter(None, (_size(column, each), _condition(column))))})"
            for column in columns
            for each in self._better(column)[0][1:]
        ]
        also = f"; better too: {_several(others)}" if others else ""
        return f"use {arm}, better than {self._reference} by {_listed(gains)}{self._cost(columns[0], arm)}{also}"

    def _without_lead(self, column: Column) -> str:
        if _constant(column):
            return f"every arm has {column.reading.value(next(iter(column.figures.values())).mean)}"
        if len(column.decision.of("level") + column.decision.of("worse")) == len(column.decision.comparisons):
            return f"keep {self._reference}, no arm is better by more than {column.reading.within}"
        return f"no arm is shown to be better than {self._reference}"

    def _cost(self, column: Column, arm: str) -> str:
        """What an arm that is good in one place costs elsewhere."""
        elsewhere = [(each, each.comparisons[arm]) for each in self._told if _kind(each) != _kind(column)]
        worse = [(each, of) for each, of in elsewhere if of.verdict == "worse"]
        costs = [f"{_size(each, of)} {_cost_of(each)}" for each, of in worse if each.reading.of_images]
        losses = [f"by {_size(each, of)} {_place(each)}" for each, of in worse if not each.reading.of_images]
        there = [(each, of) for each, of in elsewhere if each.level is None and arm in each.figures]
        # Of what else the user's own function has returned, the other lines tell what is level or undecided.
        status = [
            f", {of.verdict} {_place(each)}"
            for each, of in there
            if each.reading.of_images and of.verdict in ("level", "undecided")
        ]
        better = _listed([_place(each) for each, of in there if of.verdict == "better"])
        also = f", better {better} too" if better else ""
        costly = f"; it costs {_listed(costs)}" if costs else ""
        return "".join([*status, also, costly, f"; it is worse {_listed(losses)}" if losses else ""])

    def _doubt(self, column: Column, arm: str) -> str:
        """Why an arm's figure under attack is no ground to recommend it; empty if it is one, or of no attack."""
        norm = next((norm for norm, worst in WORST.items() if worst == column.measure), None)
        if norm is None:
            return ""
        if audited := self.soundness.get((column.measure, column.level), {}).get(arm):
            return audited.doubt
        margin_checks = [
            each for each in self.margin_checks if (each.arm, each.norm, each.level) == (arm, norm, column.level)
        ]
        if not margin_checks:
            return "no attack on a margin loss has checked that"
        if any(each.hidden for each in margin_checks):
            return "gradients are partly hidden, and attacks may have missed what breaks such a net"
        return ""

    @property
    def _level(self) -> str:
        """Which arms are level with the reference."""
        there = [column for column in self._told if column.decision.of("level") and not _constant(column)]
        margins = list(dict.fromkeys(f" (within ±{column.reading.within})" for column in there))
        places = []
        for column in there:
            arms = [each.arm for each in column.decision.of("level")]
            own = f" (within ±{column.reading.within})" if len(margins) > 1 else ""
            places.append(f"{_listed(arms) if len(arms) <= LISTED else f'{len(arms)} arms'} {_place(column)}{own}")
        shared = margins[0] if len(margins) == 1 else ""
        return f"Level with {self._reference}{shared}: {'; '.join(places)}." * bool(places)

    @property
    def _undecided(self) -> str:
        """What is undecided, and how many more seeds would decide it."""
        parts = []
        for kind, members in self._kinds.items():
            whole = [each for column in members for each in column.decision.comparisons]
            still = [each for column in members for each in column.decision.of("undecided") if each.seeds > 0]
            where = f"{kind[0].lower()}{kind[1:]}"
            if still and len(members) == 1 and len(still) <= LISTED:
                parts.append(f"{where} {_listed([f'{each.arm} ({_range([each])})' for each in still])}")
            elif still:
                parts.append(f"{where} {len(still)} of {len(whole)} comparisons ({_range(still)})")
        return f"Undecided (and about how many more seeds would decide it): {'; '.join(parts)}." * bool(parts)


def _kind(column: Column) -> str:
    """How a column's sentence begins."""
    if column.level is None:
        return f"On {_name(column)}"
    return "Under attack" if column.measure in WORST.values() else "Under noise"


def _condition(column: Column) -> str:
    """Which noise of what strength, or which ε; empty where there are no levels."""
    if column.level is None:
        return ""
    if column.measure in WORST.values():
        return f"{'L2 ' * (column.measure == WORST['l2'])}ε = {column.level:g}"
    return f"{column.measure} {column.level:g}"


def _place(column: Column) -> str:
    """Where a column is, within a sentence."""
    if column.level is None:
        return f"on {_name(column)}"
    return f"under {'attack at ' * (column.measure in WORST.values())}{_condition(column)}"


def _cost_of(column: Column) -> str:
    return "of clean accuracy" if column.measure == CLEAN else _place(column)


def _name(column: Column) -> str:
    """What is scored where there are no levels."""
    return "clean images" if column.reading.of_images else column.measure


def _constant(column: Column) -> bool:
    """Whether every value of every arm is the same: nothing is compared there."""
    return len({column.reading.settled(value) for figure in column.figures.values() for value in figure.values}) == 1


def _gain(column: Column, comparison: Comparison) -> float:
    return column.reading.gain(comparison.difference)


def _size(column: Column, comparison: Comparison) -> str:
    return column.reading.size(comparison.difference or 0.0)


def _listed(items: Sequence[str]) -> str:
    """The items as one says them: "a, b and c"."""
    there = [item for item in items if item]
    return " and ".join([", ".join(there[:-1]), there[-1]]) if len(there) > 1 else "".join(there)


def _several(items: Sequence[str]) -> str:
    """The first few items, and how many more there are."""
    rest = len(items) - LISTED
    return _listed([*items[:LISTED], f"{rest} more"]) if rest > 0 else _listed(items)


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _lacking(comparison: Comparison) -> float:
    """How many more seeds would decide a comparison; infinite if that can't be known."""
    return math.inf if comparison.seeds_needed is None else comparison.seeds_needed - comparison.seeds


def _number(seeds: float) -> str:
    return f"over {FAR}" if seeds > FAR else f"{seeds:.0f}"


def _range(comparisons: Sequence[Comparison]) -> str:
    """The fewest and the most seeds that are wanting."""
    able = [each for each in comparisons if each.seeds > 1]
    if not able:
        return "one seed can't tell"
    fewest, most = (_number(choose(map(_lacking, able))) for choose in (min, max))
    return fewest if fewest == most else f"{fewest} to {most}"
