"""Studies of the user's own function that never ran: tables from values that a test chooses."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dropover.lab.judging.answer import Answer
from dropover.lab.study import Study

Values = Mapping[str, Sequence[float | None]]
"""Of every arm a value for each seed; None where there is none."""


def own_study(arms: Sequence[str], seeds: int = 1, **more: Any) -> Study:
    """A study of a function; its first arm is the reference."""
    made = [{"method": "none", "name": arms[0]}, *({"method": "regularizer", "name": arm} for arm in arms[1:])]
    trial = {"function": "my_module:train", "epochs": 3}
    return Study.model_validate({"trial": trial, "seeds": seeds, "reference": arms[0], "arms": made, **more})


def own_answer(
    returned: Mapping[str, Values], logged: Mapping[str, int] | None = None, command: str = "", **more: Any
) -> Answer:
    """The answer of values by measure, and of measures that were logged over so many steps.

    Other keywords are the study's.
    """
    arms = list(dict.fromkeys(arm for by_arm in returned.values() for arm in by_arm))
    seeds = max(len(values) for by_arm in returned.values() for values in by_arm.values())
    rows = [
        (arm, seed, measure, math.nan, value)
        for measure, by_arm in returned.items()
        for arm, values in by_arm.items()
        for seed, value in enumerate(values)
        if value is not None
    ]
    rows += [(arm, seed, "seconds", math.nan, 1.0) for arm in arms for seed in range(seeds)]
    rows += [
        (arm, seed, measure, float(step), 1 / (step + 1))
        for measure, steps in (logged or {}).items()
        for arm in arms
        for seed in range(seeds)
        for step in range(steps)
    ]
    table = pd.DataFrame(rows, columns=["arm", "seed", "measure", "level", "value"])
    return Answer(own_study(arms, seeds, **more), table, 0, command)
