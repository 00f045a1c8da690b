"""The table on which samplers are measured: `python docs/search/table.py [ARMS] [FOLDER]`, about 40 minutes.

Trains arms drawn at random from the whole space of table.toml, each with two seeds, in FOLDER, which a second run goes
on in, and writes table.csv: a row for each trial, with what was chosen for its arm and what it came to.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from dropover.lab.comparing import run
from dropover.lab.records.labels import labelled
from dropover.lab.running.study_file import read_study
from dropover.lab.searching.objectives import scores_of
from dropover.lab.searching.reading import Plan, planned, search_of
from dropover.lab.searching.space import Drawn, Places
from dropover.lab.study import Arm
from dropover.lab.telling.live import live
from dropover.lab.telling.terminal import say

HERE = Path(__file__).parent
STUDY, TABLE = HERE / "table.toml", HERE / "table.csv"


class Noting(Drawn):
    """Chooses at random and keeps what it chose."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.chosen: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        """One of the choices."""
        self.chosen[name] = super().suggest_categorical(name, choices)
        return self.chosen[name]

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        """A number from low to high."""
        self.chosen[name] = super().suggest_float(name, low, high, log=log)
        return self.chosen[name]


def plan_of_table() -> Plan:
    """The search of table.toml, tried out."""
    return planned(search_of(read_study(STUDY), str(STUDY)), str(STUDY))


def drawn(plan: Plan, count: int) -> dict[str, tuple[Arm, dict[str, Any]]]:
    """So many arms that can be placed, by label, with what was chosen for each."""
    random, fits = Random(0), Places(plan.file.searched).check
    arms: dict[str, tuple[Arm, dict[str, Any]]] = {}
    while len(arms) < count:
        noting = Noting(random)
        arm = plan.space.arm(noting)
        try:
            fits(arm)
        except (TypeError, ValueError):
            continue
        arms[arm.label] = arm, noting.chosen
    return arms


def main(count: int = 500, folder: Path = Path("results/table")) -> None:
    """Train them and write the table."""
    plan = plan_of_table()
    arms = drawn(plan, count)
    study = plan.file.searched
    study = study.model_copy(update={"arms": [*study.arms, *(arm for arm, _ in arms.values())]})
    result = run(study, folder, jobs=2, view=live, tell=say)
    scores = scores_of(labelled(result.table), result.study, plan.objectives)
    rows = [
        {
            "arm": label,
            "seed": seed,
            **{each.words: each.gain(gain) for each, gain in zip(plan.objectives, gains, strict=True)},
            "chosen": json.dumps(arms[label][1] if label in arms else {}),
        }
        for label, by_seed in scores.items()
        for seed, gains in by_seed.items()
    ]
    pd.DataFrame(rows).to_csv(TABLE, index=False)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, Path), sys.argv[1:], strict=False)))
