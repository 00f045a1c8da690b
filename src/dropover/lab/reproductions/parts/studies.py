"""The studies that a reproduction needs: what it asks of them, and what they brought: their rows and their nets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from dropover.lab.running.study_file import built_in_path, checked, read_study
from dropover.lab.study import Arm, AttackSettings, Scale, Study

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from dropover.lab.data import Data
    from dropover.lab.judging.comparison import Figure

_SETS = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "svhn": "SVHN",
    "mnist": "MNIST",
    "mnist-5k": "MNIST-5k",
}


def set_name(name: str) -> str:
    """A data set's name as it is written in a table."""
    return _SETS.get(name, name)


def figure_of(arm: str, measure: str, values: Sequence[float], seeds: Sequence[int] = ()) -> Figure:
    """A figure of values that are in no table."""
    import math

    from dropover.lab.judging import statistics as st
    from dropover.lab.judging.comparison import Figure

    mean = math.fsum(values) / len(values)
    return Figure(arm, measure, None, tuple(values), mean, st.spread(values), seeds=tuple(seeds))


@dataclass(frozen=True)
class Request:
    """A study file at some scale, cut down to what is needed; what is left out is neither trained nor measured.

    Attributes:
        file: Name of the built-in study file.
        variant: One of its variants, or None.
        arms: Labels of the arms that are needed; None for all.
        attacks: Labels of the attacks that are needed.
        noise: Whether noise is needed.
        rates: Whether the grid of rates at inference is needed.
        part: Tells it from other requests for parts of the same variant.
        images_only: Whether the images are all that is needed, and nothing is trained.
        scales: The scales at which it is needed.
    """

    file: str
    variant: str | None = None
    arms: tuple[str, ...] | None = None
    attacks: tuple[str, ...] = ()
    noise: bool = False
    rates: bool = False
    part: str | None = None
    images_only: bool = False
    scales: tuple[Scale, ...] = get_args(Scale)

    @property
    def name(self) -> str:
        """What its study and its folder are called."""
        return "-".join(filter(None, (self.file, self.variant, self.part)))

    def raw(
        self, scale: Scale, seeds: int | None = None, device: str = "auto", precision: str = "fp32"
    ) -> dict[str, Any]:
        """The study that it asks for, as plain data, not checked yet.

        Raises:
            StudyError: the file has no such scale or variant.
            ValueError: it asks for an arm or an attack that the file doesn't have.
        """
        raw = read_study(built_in_path(self.file), scale, self.variant)
        raw |= {"name": self.name, "device": device, "precision": precision}
        if seeds is not None:
            raw["seeds"] = seeds
        if self.arms is not None:
            raw["arms"] = self._chosen({table["name"]: table for table in raw["arms"]}, self.arms)
            raw["reference"] = raw["reference"] if raw["reference"] in self.arms else self.arms[0]
        evaluation = dict(raw.get("evaluation", {}))
        attacks = {AttackSettings.model_validate(table).label: table for table in evaluation.get("attacks", [])}
        evaluation["attacks"] = self._chosen(attacks, self.attacks)
        needed = {"noise": self.noise, "inference_rates": self.rates, "attack_images": self.attacks}
        return {**raw, "evaluation": {key: value for key, value in evaluation.items() if needed.get(key, True)}}

    def study(
        self,
        scale: Scale,
        seeds: int | None = None,
        device: str = "auto",
        precision: str = "fp32",
        *,
        elsewhere: bool = False,
    ) -> Study:
        """The study that it asks for, as by `raw`, checked; see `try_out` for one that is run `elsewhere`.

        Raises:
            StudyError: it can't be run here. One line for each problem.
        """
        return checked(self.raw(scale, seeds, device, precision), f"{self.name} at scale {scale}", elsewhere=elsewhere)

    def _chosen(self, tables: Mapping[str, dict[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
        """The tables of those names, in the file's order."""
        for name in names:
            if name not in tables:
                raise ValueError(f"{self.name} has no {name!r}: it has {', '.join(tables)}")
        return [table for name, table in tables.items() if name in names]


@dataclass(frozen=True)
class Run:
    """One study that ran, its long table, and the folder of its trained nets."""

    request: Request
    study: Study
    table: pd.DataFrame
    nets: Path
    failures: Sequence[str] = ()

    @property
    def data_set(self) -> str:
        """The name of the study's images, as it is written in a table."""
        return set_name(self.study.data.name)

    @property
    def data(self) -> Data:
        """The study's images."""
        from dropover.lab.data.parts.loading import load_data

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
        rows = self.table[["arm", "seed"]].drop_duplicates()
        return [(str(arm), int(seed)) for arm, seed in zip(rows["arm"], rows["seed"], strict=True)]

    def seeds_of(self, label: str) -> list[int]:
        """The seeds of an arm whose trials are finished, in the study's order."""
        return [seed for arm, seed in self.trials if arm == label]

    def rows(self, *measures: str) -> pd.DataFrame:
        """The long table's rows of some measures."""
        return self.table[self.table["measure"].isin(measures)]

    def figures(self, measure: str = "clean", level: float | None = None) -> dict[str, Figure]:
        """Arm to its figure at a measure and level, each against the study's reference arm."""
        from dropover.lab.judging.comparison import figures

        return {figure.arm: figure for figure in figures(self.table, self.study, measure, level)}

    def levels(self, measure: str) -> list[float]:
        """The levels above 0 at which a measure was taken, in order."""
        from dropover.lab.judging.comparison import levels

        return levels(self.table, measure)

    def says(self, figures: dict[str, Figure]) -> list[str]:
        """What the seeds say about a row of figures: each arm against the reference arm, and the power of the test."""
        from dropover.lab.judging import verdicts

        others = [figure for figure in figures.values() if figure.difference is not None]
        lines = [
            f"{self.data_set}, {figure.arm}: {verdicts.against_reference(figure, self.study.reference)}"
            for figure in others
        ]
        return [*lines, *verdicts.about_the_test(others)]

    def arm(self, label: str) -> Arm:
        """The arm of that label."""
        return next(arm for arm in self.study.arms if arm.label == label)

    def net(self, label: str, seed: int | None = None) -> nn.Module:
        """The trained net of an arm, in evaluation mode; of its first finished seed if none is said."""
        from dropover.lab.training.trained import trained_net

        chosen = self.seeds_of(label)[0] if seed is None else seed
        return trained_net(self.study, self.arm(label), chosen, self.data, self.nets)[0]


@dataclass
class Evidence:
    """Everything that a reproduction draws from.

    Attributes:
        scale: The scale that it ran at.
        runs: The studies of which any trial is finished, in the order asked for.
        missing: One line for each data set that is not here.
        unfinished: One line for each study of which trials are not finished: stopped, or failed. What is drawn is then
            of the others alone.
        failures: One line for each trial that failed.
        stop: What stopped it before its end, if anything did.
    """

    scale: Scale
    runs: list[Run] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: KeyboardInterrupt | None = None

    def take(self, run: Run) -> None:
        """Add a study with what there is of it."""
        if run.request.images_only or not run.table.empty:
            self.runs.append(run)
        if run.unfinished:
            self.unfinished.append(run.unfinished)
        self.failures += [f"{run.study.name}: {line}" for line in run.failures]
