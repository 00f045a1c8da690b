"""A study's answer as one value, each part made once: page and terminal only lay it out."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import (
    Column,
    Figure,
    Judge,
    MarginCheck,
    columns,
    figures,
    margin_checks,
    worst_levels,
)
from dropover.lab.judging.conclusion import Conclusion
from dropover.lab.judging.measures import Measure
from dropover.lab.judging.soundness import LEGEND, Soundness, audit_places, audit_table, soundness
from dropover.lab.judging.verdict_table import verdict_table
from dropover.lab.records.labels import WORST
from dropover.lab.study import Study

UNTIL_DECIDED = "--until-decided"
"""The option of `dropover compare` that adds seeds until all is decided."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a study: arms × measures with figures, verdicts and marks, and what they say in words.

    Attributes:
        study: The study.
        table: Its long table by labels (see `labelled`), of at least one finished trial.
        images: How many images were attacked; 0 if none were, or if it isn't known.
        command: The command that ran it, as a reader would type it; empty if none did.
        judge: Gives the verdicts, of a study that was looked at as it grew; without it every column is decided afresh.
    """

    study: Study
    table: pd.DataFrame
    images: int
    command: str = ""
    judge: Judge | None = None

    @cached_property
    def columns(self) -> list[Column]:
        """What a table shows: every arm's figure at each measure, and at one level of each noise and attack."""
        return columns(self.table, self.study, self.judge)

    @cached_property
    def arms(self) -> list[str]:
        """The arms that have a figure, in the study's order."""
        return [arm.label for arm in self.study.arms if any(arm.label in column.figures for column in self.columns)]

    @cached_property
    def margin_checks(self) -> list[MarginCheck]:
        """Every arm's cross-entropy attacks against margin losses."""
        return margin_checks(self.table, self.study, self.images)

    @cached_property
    def margin(self) -> list[str]:
        """What the margin losses found, in a sentence; empty if they did not run."""
        return [line for line in (verdicts.margin_headline(self.margin_checks),) if line]

    @cached_property
    def conclusion(self) -> Conclusion:
        """What the verdicts say together, for whoever knows no statistics."""
        return Conclusion(self.study, self.columns, self.margin_checks, self._soundness)

    @cached_property
    def _soundness(self) -> dict[tuple[str, float | None], dict[str, Soundness]]:
        """What audits say of every arm's figure, by the column's measure and level."""
        places = [(column.measure, column.level) for column in self.columns]
        return {place: soundness(self.table, self.study, *place) for place in places}

    def soundness(self, column: Column, arm: str) -> Soundness | None:
        """What audits say of an arm's figure at a column; None where there was none, or it is of no attack."""
        return self._soundness[column.measure, column.level].get(arm)

    @cached_property
    def audits(self) -> pd.DataFrame:
        """Every trial's audit; see `audit_table`."""
        return audit_table(self.table, self.study)

    @cached_property
    def audited(self) -> list[str]:
        """What audits leave of each arm's worst case, and which checks failed: a line for each norm."""
        lines = []
        for norm, level in audit_places(self.table):
            of_arms = soundness(self.table, self.study, WORST[norm], level)
            said = "; ".join(each.said(arm) for arm, each in of_arms.items())
            lines.append(f"Audit at ε = {level:g}{' (L2)' * (norm == 'l2')}, what it leaves: {said}.")
        return lines

    @property
    def remedy(self) -> str:
        """The command that decides what is undecided; empty if nothing is, or if that is the one that ran."""
        able = self.conclusion.is_open and self.command and UNTIL_DECIDED not in self.command
        return f"{self.command} {UNTIL_DECIDED}" if able else ""

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Every verdict at every measure and level; see `verdict_table`."""
        return verdict_table(self.table, self.study, self.judge)

    @cached_property
    def about_the_test(self) -> list[str]:
        """What the exact test can and can't say with so many seeds."""
        return verdicts.about_the_test(list(self.columns[0].figures.values())) if self.columns else []

    @cached_property
    def speed(self) -> list[str]:
        """How fast nets were trained and attacked, in a sentence."""
        return verdicts.throughput(self.table)

    @cached_property
    def readings(self) -> list[Measure]:
        """How the measures of the user's own function are read, and with them all others; empty for images alone."""
        return [column.reading for column in self.columns] if self.study.trial else []

    @cached_property
    def units(self) -> str:
        """What the table's figures are."""
        figures = "mean ± spread over seeds"
        if not self.study.trial:
            return f"Accuracy in percent, {figures}"
        shares = ", ".join(dict.fromkeys(each.name for each in self.readings if each.scale == "share"))
        return f"{figures.capitalize()}{f'; {shares} in percent' if shares else ''}"

    @cached_property
    def legend(self) -> str:
        """What the marks mean."""
        return " ".join([verdicts.legend(self.study, self.readings), *([LEGEND] if self.audited else [])])

    def verdict(self, column: Column, arm: str) -> str:
        """What is decided of an arm at a column, in a sentence; empty for the reference."""
        comparison = column.comparisons.get(arm)
        return verdicts.verdict(comparison, column.reading) if comparison else ""

    def grounds(self, column: Column, arm: str) -> str:
        """How that came about, and what is wanting; empty for the reference."""
        comparison = column.comparisons.get(arm)
        return verdicts.grounds(comparison) if comparison else ""

    def says(self, figure: Figure) -> str:
        """A figure beside the reference arm's by itself, in words."""
        return verdicts.against_reference(figure, self.study.reference)

    @cached_property
    def _worst(self) -> list[Figure]:
        """Every arm's worst case at every ε of every norm."""
        return [
            figure
            for norm, measure in WORST.items()
            for eps in worst_levels(self.table, self.study, norm)
            for figure in figures(self.table, self.study, measure, eps)
        ]

    def robustness(self, arm: str) -> list[str]:
        """How far to believe an arm's figures under attack, in words: by the audit at its ε, else by the attacks."""
        audited = {
            (WORST[norm], eps): soundness(self.table, self.study, WORST[norm], eps)
            for norm, eps in audit_places(self.table)
        }
        there = {place: of_arms[arm] for place, of_arms in audited.items() if arm in of_arms}
        attacks = [attack.label for attack in self.study.evaluation.attacks]
        worst = [each for each in self._worst if each.arm == arm and (each.measure, each.level) not in there]
        said = verdicts.robustness([check for check in self.margin_checks if check.arm == arm], worst, attacks)
        return [*map(verdicts.audited, there.values()), *said]
