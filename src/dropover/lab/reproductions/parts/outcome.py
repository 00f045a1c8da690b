"""What the studies of a reproduction brought: their rows, their nets, and what was not here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from torch import nn

from dropover.lab.comparison import CLEAN, Figure, figures
from dropover.lab.data import Data
from dropover.lab.data.loading import load_data
from dropover.lab.nets import trained_net
from dropover.lab.reproductions.parts.request import Request
from dropover.lab.study import Arm, Study


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
    def trials(self) -> list[tuple[str, int]]:
        """The arm and seed of every trial that is finished."""
        found = self.table[["arm", "seed"]].drop_duplicates()
        return [(str(arm), int(seed)) for arm, seed in zip(found["arm"], found["seed"], strict=True)]

    def figures(self, measure: str = CLEAN, level: float | None = None) -> dict[str, Figure]:
        """Arm to its figure at a measure and level, each against the study's reference arm."""
        return {figure.arm: figure for figure in figures(self.table, self.study, measure, level)}

    def arm(self, label: str) -> Arm:
        """The arm of that label."""
        return next(arm for arm in self.study.arms if arm.label == label)

    def net(self, label: str, seed: int | None = None) -> nn.Module:
        """The trained net of an arm, in evaluation mode; of the study's first seed if none is said."""
        chosen = self.study.seeds[0] if seed is None else seed
        return trained_net(self.study, self.arm(label), chosen, self.data, self.nets)[0]


@dataclass
class Outcome:
    """Everything that a reproduction draws from.

    Attributes:
        scale: The scale that it ran at.
        ran: The studies that ran, in the order asked for.
        missing: One line for each data set that is not here.
    """

    scale: str
    ran: list[Ran] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def of(self, name: str) -> Ran:
        """The study of that name."""
        return next(ran for ran in self.ran if ran.request.name == name)

    def starting(self, name: str) -> list[Ran]:
        """The studies from one file, in any of its variants."""
        return [ran for ran in self.ran if ran.request.file == name]
