"""The unit of work: one arm with one seed."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dropover.lab.digests import of_plain
from dropover.lab.records.fingerprints import Ingredients, ingredients_of, trial_ingredients
from dropover.lab.study import Arm, Study


@dataclass(frozen=True)
class TrialKey:
    """One arm with one seed: the unit of work, and of what a rerun takes over.

    Its ingredients are what its results are determined by.
    """

    arm: Arm
    seed: int
    ingredients: Ingredients = field(compare=False, repr=False)

    @property
    def label(self) -> str:
        """How the trial is called in messages."""
        return f"{self.arm.label}, seed {self.seed}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of its ingredients: trials that have the same have the same results, whatever they are called."""
        return of_plain(self.ingredients)

    def path(self, folder: Path) -> Path:
        """Its file below the results' folder. The name of the arm has no part in it, so that it may be changed."""
        method = re.sub(r"[^a-z0-9]+", "-", self.arm.method.lower()).strip("-")[:60] or "arm"
        return folder / "trials" / f"{method}-{self.seed}-{self.fingerprint[:16]}.json"


def key_of(study: Study, arm: Arm, seed: int) -> TrialKey:
    """One trial of a study; raises as `trials_of`."""
    return TrialKey(arm, seed, trial_ingredients(study, arm, seed))


Place = tuple[str, int]
"""Where a trial stands among arms × seeds: the arm's label, and the seed."""


def trials_of(study: Study, among: Collection[Place] | None = None) -> list[TrialKey]:
    """Every arm × seed, or those `among` some, seed by seed, so that a run that stops early has whole pairs.

    Raises:
        ValueError: the images or the user's code can't be had.
    """
    ingredients = ingredients_of(study)
    return [
        TrialKey(arm, seed, ingredients(arm, seed))
        for seed in study.seeds
        for arm in study.arms
        if among is None or (arm.label, seed) in among
    ]
