"""Answers of studies that never ran, from values that a test chooses."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dropover.lab.judging.answer import Answer
from dropover.lab.study import Arm, AttackSettings, EvaluationSettings, Study

EPS = 0.1
ATTACKS = ("pgd", "pgd-margin")
Values = Mapping[str, Sequence[float | None]]
"""Of every arm a value for each seed; None where the trial failed."""


def answer(
    places: Mapping[str, Values],
    arms: Sequence[str] = ("none", "a", "b"),
    *,
    attacks: Sequence[str] = ATTACKS,
    command: str = "",
    margin: float = 0.5,
) -> Answer:
    """The answer of values by measure: clean; gaussian and poisson, at 0.5; attacks and "worst", at `EPS`."""
    rows = [
        (arm, seed, measure, None if measure == "clean" else EPS if measure in ("worst", *attacks) else 0.5, value)
        for measure, by_arm in places.items()
        for arm, values in by_arm.items()
        for seed, value in enumerate(values)
        if value is not None
    ]
    seeds = max((len(values) for by_arm in places.values() for values in by_arm.values()), default=1)
    study = Study(
        seeds=list(range(seeds)),
        reference=arms[0],
        arms=[Arm(method="none", name=arm) for arm in arms],
        margin=margin,
        evaluation=EvaluationSettings(
            noise={noise: [0.5] for noise in ("gaussian", "poisson")},
            attacks=[AttackSettings(name=name, eps=[EPS]) for name in attacks],
        ),
    )
    table = pd.DataFrame(rows, columns=["arm", "seed", "measure", "level", "value"]).astype({"level": "float64"})
    return Answer(study, table, 200, command)


def around(mean: float, seeds: int = 8, step: float = 0.001) -> list[float]:
    """Values whose mean is this, one `step` apart in turn, so that arms spread alike and no two seeds agree."""
    offsets = [step * (-1) ** seed * (1 + seed // 2 % 2) for seed in range(seeds)]
    return [mean + offset - sum(offsets) / seeds for offset in offsets]


def turned(values: Sequence[float], by: int = 1) -> list[float]:
    """The values of other seeds, so that paired differences spread."""
    return [*values[by:], *values[:by]]
