"""A request: which part of which study file a table or figure needs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from dropover.lab.running.study_file import built_in_path, checked, read_study
from dropover.lab.study import AttackSettings, Scale, Study


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

    def raw(self, scale: Scale, seeds: int | None = None) -> dict[str, Any]:
        """The study that it asks for, as plain data, not checked yet.

        Raises:
            StudyError: the file has no such scale or variant.
            ValueError: it asks for an arm or an attack that the file doesn't have.
        """
        raw = read_study(built_in_path(self.file), scale, self.variant) | {"name": self.name}
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

    def study(self, scale: Scale, seeds: int | None = None) -> Study:
        """The study that it asks for, checked.

        Raises:
            StudyError: it can't be run here. One line for each problem.
        """
        return checked(self.raw(scale, seeds), f"{self.name} at scale {scale}")

    def _chosen(self, tables: Mapping[str, dict[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
        """The tables of those names, in the file's order."""
        for name in names:
            if name not in tables:
                raise ValueError(f"{self.name} has no {name!r}: it has {', '.join(tables)}")
        return [table for name, table in tables.items() if name in names]
