"""A request: which part of which study file a table or figure needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dropover.lab.running.study_file import built_in_path, checked, read_study
from dropover.lab.study import AttackSettings, Study


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
    """

    file: str
    variant: str | None = None
    arms: tuple[str, ...] | None = None
    attacks: tuple[str, ...] = ()
    noise: bool = False
    rates: bool = False
    part: str | None = None
    images_only: bool = False

    @property
    def name(self) -> str:
        """What its study and its folder are called."""
        return "-".join(filter(None, (self.file, self.variant, self.part)))

    def raw(self, scale: str, seeds: int | None = None) -> dict[str, Any]:
        """The study that it asks for, as plain data, not checked yet.

        Raises:
            StudyError: the file has no such scale or variant.
            ValueError: it asks for an arm or an attack that the file doesn't have.
        """
        raw = read_study(built_in_path(self.file), scale, self.variant)
        if seeds is not None:
            raw["seeds"] = seeds
        raw["name"] = self.name
        if self.arms is not None:
            raw["arms"] = _chosen({table["name"]: table for table in raw["arms"]}, self.arms, self.name)
            raw["reference"] = raw["reference"] if raw["reference"] in self.arms else self.arms[0]
        evaluation = dict(raw.get("evaluation", {}))
        attacks = {AttackSettings.model_validate(table).label: table for table in evaluation.get("attacks", [])}
        evaluation["attacks"] = _chosen(attacks, self.attacks, self.name)
        if not self.noise:
            evaluation.pop("noise", None)
        if not self.rates:
            evaluation.pop("inference_rates", None)
        if not self.attacks:
            evaluation.pop("attack_images", None)
        return {**raw, "evaluation": evaluation}

    def study(self, scale: str, seeds: int | None = None) -> Study:
        """The study that it asks for, checked.

        Raises:
            StudyError: it can't be run here. One line for each problem.
        """
        return checked(self.raw(scale, seeds), f"{self.name} at scale {scale}")


def _chosen(known: Mapping[str, dict[str, Any]], names: Collection[str], where: str) -> list[dict[str, Any]]:
    """The tables of those names, in the file's order."""
    for name in names:
        if name not in known:
            raise ValueError(f"{where} has no {name!r}: it has {', '.join(known)}")
    return [table for name, table in known.items() if name in names]
