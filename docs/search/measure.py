"""What samplers save against random proposals: `python docs/search/measure.py [REPETITIONS] [TRIALS]`.

Searches are simulated on table.csv, whose rows are trials that were really trained (table.py): what is proposed is
taken to be the arm of the table, of the same method and place, whose settings are nearest. The sampler is told what
came of it with one seed; after n proposals the front is taken of what was told, and "re-run": its hypervolume, from the
median of all arms to the best, is that of what the same arms came to with the other seed, which had no part in the
choice. Proposals alone are measured, without the race. In every second repetition the seeds change roles.
"""

import json
import math
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import pandas as pd
from table import TABLE, plan_of_table

from dropover.lab.searching import race
from dropover.lab.searching.proposing import Proposer
from dropover.lab.searching.reading import Plan
from dropover.lab.searching.settings import Sampler
from dropover.lab.searching.space import Places
from dropover.lab.study import Arm
from dropover.methods import Range

SAMPLERS: tuple[Sampler, ...] = ("random", "tpe", "nsga2", "gp")
Pair = tuple[float, ...]
Chosen = Mapping[str, Any]


class Table:
    """Arms that were really trained, with two seeds each."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        rows = pd.read_csv(TABLE)
        words = [each.words for each in plan.objectives]
        self.values: dict[str, list[Pair]] = {}
        self._cells: dict[tuple[str, str], dict[str, Chosen]] = {}
        for label, of_arm in rows.groupby("arm", sort=False):
            gains = [tuple(row) for row in of_arm.sort_values("seed")[words].to_numpy()]
            chosen = json.loads(of_arm["chosen"].iloc[0])
            if len(gains) == 2 and chosen:
                self.values[str(label)] = gains
                self._cells.setdefault(_cell(chosen), {})[str(label)] = chosen
        columns = list(zip(*(pair for gains in self.values.values() for pair in gains), strict=True))
        self._floor, self._ceiling = tuple(map(median, columns)), tuple(map(max, columns))

    def nearest(self, chosen: Chosen) -> str | None:
        """The arm of the same method and place whose settings are nearest; None if the table has none there."""
        alike = self._cells.get(_cell(chosen), {})
        return min(alike, key=lambda label: self._away(chosen, alike[label]), default=None)

    def volume(self, points: list[Pair]) -> float:
        """The share below the points, of two objectives, of the rectangle from the median arm to the best figures."""
        ends = list(zip(self._floor, self._ceiling, strict=True))
        scaled = [tuple((x - low) / (high - low) for x, (low, high) in zip(p, ends, strict=True)) for p in points]
        area, height = 0.0, 0.0
        for across, up in sorted(scaled, reverse=True):
            area += max(0.0, across) * max(0.0, up - height)
            height = max(height, up)
        return area

    def _away(self, chosen: Chosen, other: Chosen) -> float:
        return sum(self._part(key, value, other.get(key)) for key, value in chosen.items())

    def _part(self, key: str, value: Any, other: Any) -> float:
        method, _, setting = key.partition(".")
        allowed = self._plan.space.ranges.get(method, {}).get(setting)
        if not isinstance(allowed, Range) or other is None:
            return float(value != other)
        scale = math.log if allowed.log else float
        return abs(scale(value) - scale(other)) / (scale(allowed.high) - scale(allowed.low))


def _cell(chosen: Chosen) -> tuple[str, str]:
    return chosen["method"], chosen[f"{chosen['method']}.at"]


def course(table: Table, plan: Plan, sampler: Sampler, seed: int, trials: int) -> list[float]:
    """The hypervolume of the re-run front after each proposal."""
    told, again, volumes = dict[str, Pair](), dict[str, Pair](), list[float]()
    fits = Places(plan.file.searched).check
    known: dict[str, bool] = {}

    def check(arm: Arm) -> None:
        key = arm.model_dump_json(exclude={"name"})
        if key not in known:
            fits(arm)
            known[key] = True

    with tempfile.TemporaryDirectory() as folder:
        proposer = Proposer(plan.space, Path(folder), plan.objectives, sampler, seed, "measured", check)
        while len(volumes) < trials:
            label = proposer.ask().label
            near = table.nearest(dict(proposer.chosen())[label])
            if near is None:
                proposer.tell(label, None)
                continue
            here, there = table.values[near][seed % 2], table.values[near][1 - seed % 2]
            told[near], again[near] = here, there
            proposer.tell(label, here)
            volumes.append(table.volume([again[each] for each in race.front(told)]))
    return volumes


def main(repetitions: int = 20, trials: int = 120) -> None:
    """Print for each sampler the hypervolume at the end, and after how many trials it is at random's last."""
    plan = plan_of_table()
    table = Table(plan)
    best = [table.volume([gains[seed] for gains in table.values.values()]) for seed in (0, 1)]
    print(f"{len(table.values)} arms in the table; {repetitions} repetitions of {trials} proposals")
    print(f"hypervolume of all arms, each at its best: {fmean(best):.3f}")
    goal = None
    for sampler in SAMPLERS:
        courses = [course(table, plan, sampler, seed, trials) for seed in range(repetitions)]
        means = [fmean(each) for each in zip(*courses, strict=True)]
        error = stdev(each[-1] for each in courses) / math.sqrt(repetitions)
        goal = means[-1] if goal is None else goal
        there = next((number for number, mean in enumerate(means, start=1) if mean >= goal), None)
        reached = "not reached" if there is None else f"random's after {there} of {trials}"
        print(
            f"{sampler:>7}: {means[trials // 2 - 1]:.3f} after half, {means[-1]:.3f} ± {error:.3f}, {reached}",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
