"""What a search wants to be good: a measure at a level, said as "worst linf 0.1", and read from trials."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dropover.lab.judging.comparison import attacks_in, values_at
from dropover.lab.judging.deciding import Values
from dropover.lab.judging.measures import measure_of
from dropover.lab.records.labels import AUDIT, WORST
from dropover.lab.records.rows import CLEAN
from dropover.lab.running.audited import radii
from dropover.lab.study import Study
from dropover.registry import did_you_mean


@dataclass(frozen=True)
class Objective:
    """One measure at one level.

    Attributes:
        words: As the study file has it.
        label: The measure's label.
        level: A noise's strength or an ε; None where there is only one value.
        higher_is_better: Which way is better.
    """

    words: str
    label: str
    level: float | None
    higher_is_better: bool

    def values(self, table: pd.DataFrame, study: Study) -> Values:
        """Arm to seed to value, of a table by labels."""
        return values_at(table, study, self.label, self.level)

    def gain(self, value: float) -> float:
        """The value, counted so that more is better."""
        return value if self.higher_is_better else -value


Scores = Mapping[str, Mapping[int, tuple[float, ...]]]
"""Arm to seed to its value at each objective, counted so that more is better; trials that lack one are left out."""


def objectives_of(words: Sequence[str], study: Study) -> list[Objective]:
    """What the words mean in this study.

    What a user's function returns can't be known before it has run: any name may be one.

    Raises:
        ValueError: no trial of the study will measure it, or two mean the same.
    """
    found: dict[tuple[str, float | None], Objective] = {}
    for each in words:
        objective = _objective(each, study)
        same = found.setdefault((objective.label, objective.level), objective)
        if same is not objective:
            raise ValueError(f"{each!r} is {same.words!r} again: leave one of them out")
    return list(found.values())


def _objective(words: str, study: Study) -> Objective:
    name, level = _parted(words)
    label = _label(name)
    known = measured(study)
    if label not in known and study.trial is None:
        there_are = "; ".join(_listed(each, levels) for each, levels in known.items())
        raise ValueError(f"no trial measures {words!r}: {did_you_mean(label, known, 1)}measured are {there_are}")
    levels = known.get(label)
    if levels is not None and not (level in levels if levels else level is None):
        raise ValueError(f"no trial measures {words!r}: measured is {_listed(label, levels)}")
    return Objective(words, label, level, measure_of(study, label).higher_is_better)


def measured(study: Study) -> dict[str, list[float]]:
    """The measures of images that the study's trials will have, by label, and their levels, if there are several."""
    evaluation = study.evaluation
    known: dict[str, list[float]] = {} if study.trial is not None else {CLEAN: []}
    known |= {noise: list(levels) for noise, levels in evaluation.noise.items()}
    known |= {attack.label: list(attack.eps) for attack in evaluation.attacks}
    for norm, worst in WORST.items():
        eps = [{*attack.eps} for attack in attacks_in(study, norm)]
        if eps:
            known[worst] = sorted(set.intersection(*eps) or set.union(*eps))
    if evaluation.audit:
        known |= {AUDIT[radius.norm]: [radius.eps] for radius in radii(study) if radius.pixels is not None}
    return known


def scores_of(table: pd.DataFrame, study: Study, objectives: Sequence[Objective]) -> Scores:
    """What came of every trial, of a table by labels."""
    columns = [objective.values(table, study) for objective in objectives]
    scores: dict[str, dict[int, tuple[float, ...]]] = {}
    for arm in study.arms:
        rows = [column.get(arm.label, {}) for column in columns]
        for seed in rows[0]:
            there = [row.get(seed, math.nan) for row in rows]
            if all(map(math.isfinite, there)):
                gains = tuple(each.gain(value) for each, value in zip(objectives, there, strict=True))
                scores.setdefault(arm.label, {})[seed] = gains
    return scores


def _parted(words: str) -> tuple[str, float | None]:
    """A measure's name and level: what stands last is its level, if it is a number."""
    name, _, last = words.strip().rpartition(" ")
    try:
        return (name.strip(), float(last)) if name else (last, None)
    except ValueError:
        return words.strip(), None


def _label(name: str) -> str:
    """The label of the worst case and of the audit, which words may name with their norm."""
    spelt = {f"worst {norm}": label for norm, label in WORST.items()} | {
        f"audit {norm}": label for norm, label in AUDIT.items()
    }
    return spelt.get(name, name)


def _listed(label: str, levels: Sequence[float]) -> str:
    return f"{label} {' or '.join(f'{level:g}' for level in levels)}" if levels else label
