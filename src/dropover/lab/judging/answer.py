"""A study's answer as one value, each part made once: page and terminal only lay it out."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import Audit, Column, Figure, audits, columns, figures, worst_levels
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import CLEAN
from dropover.lab.study import Study


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a study: arms × measures with figures, differences and marks, and what they say in words.

    Attributes:
        study: The study.
        table: Its long table by labels (see `labelled`), of at least one finished trial.
        images: How many images were attacked.
    """

    study: Study
    table: pd.DataFrame
    images: int

    @cached_property
    def columns(self) -> list[Column]:
        """What a table shows: every arm's figure at clean accuracy and at one level of each noise and attack."""
        return columns(self.table, self.study)

    @cached_property
    def arms(self) -> list[str]:
        """The arms that have a figure, in the study's order."""
        return [arm.label for arm in self.study.arms if any(arm.label in column.figures for column in self.columns)]

    @cached_property
    def audits(self) -> list[Audit]:
        """Every arm's cross-entropy attacks against margin losses."""
        return audits(self.table, self.study, self.images)

    @cached_property
    def margin(self) -> list[str]:
        """What the margin losses found, in a sentence; empty if they did not run."""
        return [line for line in (verdicts.audit_headline(self.audits),) if line]

    @cached_property
    def headlines(self) -> list[str]:
        """Who is ahead on clean images, under noise and in the worst case, and what the margin losses found."""
        measures = {CLEAN, *WORST.values(), *self.study.evaluation.noise}
        columns = [column for column in self.columns if column.measure in measures]
        return [*(verdicts.headline(column, self.study.reference) for column in columns), *self.margin]

    @cached_property
    def about_the_test(self) -> list[str]:
        """What the exact test can and can't say with so many seeds."""
        return verdicts.about_the_test(list(self.columns[0].figures.values())) if self.columns else []

    @cached_property
    def speed(self) -> list[str]:
        """How fast nets were trained and attacked, in a sentence."""
        return verdicts.throughput(self.table)

    @cached_property
    def legend(self) -> str:
        """What the marks mean."""
        return verdicts.dagger_legend(self.study)

    def says(self, figure: Figure) -> str:
        """A figure beside the reference arm's, in words."""
        return verdicts.against_reference(figure, self.study.reference)

    def robustness(self, arm: str) -> list[str]:
        """How far to believe an arm's figures under attack, in words."""
        worst = [
            figure
            for norm, measure in WORST.items()
            for eps in worst_levels(self.table, self.study, norm)
            for figure in figures(self.table, self.study, measure, eps)
            if figure.arm == arm
        ]
        attacks = [attack.label for attack in self.study.evaluation.attacks]
        return verdicts.robustness([audit for audit in self.audits if audit.arm == arm], worst, attacks)
