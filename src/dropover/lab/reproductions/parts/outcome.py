"""What the studies of a reproduction brought: their rows, their nets, and what was not here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from torch import nn

from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data
from dropover.lab.judging.comparison import Figure, figures
from dropover.lab.records.rows import CLEAN
from dropover.lab.reproductions.parts.request import Request
from dropover.lab.study import Arm, Study
from dropover.lab.training.trained import trained_net


@dataclass(frozen=True)
class Ran:
    """One study that ran, its long table, and the folder of its trained nets."""

    request: Request
    study: Study
    table: pd.DataFrame
    nets: Path
    failures: Sequence[str] = ()

    @property
    def data(self) -> Data:
        """The study's images."""
        return load_data(self.study.data)

    @property
    def attacked(self) -> int:
        """How many images were attacked."""
        count = len(self.data.test_labels)
        return min(self.study.evaluation.attack_images or count, count)

    @property
    def unfinished(self) -> str:
        """What is not there of it, in a line; empty if nothing."""
        done, total = len(self.trials), len(self.study.arms) * len(self.study.seeds)
        if done == total or self.request.images_only:
            return ""
        absent = [arm.label for arm in self.study.arms if not self.seeds_of(arm.label)]
        failed = f", {len(self.failures)} failed" if self.failures else ""
        without = f"; none of {', '.join(absent)}, which are left out" if absent and done else ""
        return f"{done} of {total} trials of {self.study.name} are finished{failed}{without}"

    @property
    def trials(self) -> list[tuple[str, int]]:
        """The arm and seed of every trial that is finished."""
        found = self.table[["arm", "seed"]].drop_duplicates()
        return [(str(arm), int(seed)) for arm, seed in zip(found["arm"], found["seed"], strict=True)]

    def seeds_of(self, label: str) -> list[int]:
        """The seeds of an arm whose trials are finished, in the study's order."""
        return [seed for arm, seed in self.trials if arm == label]

    def figures(self, measure: str = CLEAN, level: float | None = None) -> dict[str, Figure]:
        """Arm to its figure at a measure and level, each against the study's reference arm."""
        return {figure.arm: figure for figure in figures(self.table, self.study, measure, level)}

    def arm(self, label: str) -> Arm:
        """The arm of that label."""
        return next(arm for arm in self.study.arms if arm.label == label)

    def net(self, label: str, seed: int | None = None) -> nn.Module:
        """The trained net of an arm, in evaluation mode; of its first finished seed if none is said."""
        chosen = self.seeds_of(label)[0] if seed is None else seed
        return trained_net(self.study, self.arm(label), chosen, self.data, self.nets)[0]


@dataclass
class Outcome:
    """Everything that a reproduction draws from.

    Attributes:
        scale: The scale that it ran at.
        ran: The studies of which any trial is finished, in the order asked for.
        missing: One line for each data set that is not here.
        unfinished: One line for each study of which trials are not finished: stopped, or failed. What is drawn is then
            of the others alone.
        failures: One line for each trial that failed.
        stop: What stopped it before its end, if anything did.
    """

    scale: str
    ran: list[Ran] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: KeyboardInterrupt | None = None

    def take(self, ran: Ran) -> None:
        """Add a study with what there is of it."""
        if ran.request.images_only or not ran.table.empty:
            self.ran.append(ran)
        if ran.unfinished:
            self.unfinished.append(ran.unfinished)
        self.failures += [f"{ran.study.name}: {line}" for line in ran.failures]

    def starting(self, name: str) -> list[Ran]:
        """The studies from one file, in any of its variants."""
        return [ran for ran in self.ran if ran.request.file == name]
