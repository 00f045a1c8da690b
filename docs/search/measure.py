"""What samplers save against random proposals: `python docs/search/measure.py FOLDER [REPETITIONS] [TRIALS]`.

FOLDER is that of a finished search for two objectives, best one by random proposals (`sampler = "random"`) with a large
budget: its trials are the table on which searches are simulated, as often as one likes. What is proposed is told the
figures of one of the nearest trials of the same method and place, which are as noisy as those of a trial; what it is
worth, "re-run", is the mean of all of these. After n proposals the front is taken by what was told, and its hypervolume
is that of what it is worth. Proposals alone are measured, without the race.
"""

import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import fmean, stdev

import pandas as pd

from dropover.lab.running.study_file import StudyError
from dropover.lab.searching import race
from dropover.lab.searching.proposing import Proposer
from dropover.lab.searching.reading import IDENTITY, Plan, planned
from dropover.lab.searching.settings import Sampler, SearchStudy
from dropover.lab.searching.space import Places
from dropover.lab.study import Arm

SAMPLERS: tuple[Sampler, ...] = ("random", "tpe", "nsga2", "gp")
NEAREST = 5
Pair = tuple[float, ...]


class Table:
    """The trials of a folder, and what they say of an arm that was never trained."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        trials = pd.read_csv(folder / "trials.csv")
        trials = trials[(trials["arm"] != "none") & (trials["seed"] == plan.file.study.seeds[0])]
        self._words = [each.words for each in plan.objectives]
        self._signs = [1 if each.higher_is_better else -1 for each in plan.objectives]
        self._rows = [{key: value for key, value in row.items() if value == value} for row in trials.to_dict("records")]
        self.size = len(self._rows)
        values = [self._gains(row) for row in self._rows]
        self.floor = tuple(min(column) for column in zip(*values, strict=True))
        self.ceiling = tuple(max(column) for column in zip(*values, strict=True))

    def nearest(self, chosen: dict[str, object]) -> list[Pair]:
        """The figures of the trials of the same method, and place if there are any, whose settings are nearest."""
        alike = [row for row in self._rows if row["method"] == chosen["method"]]
        at = f"{chosen['method']}.at"
        alike = [row for row in alike if row.get(at) == chosen.get(at)] or alike

        def away(row: dict[str, object]) -> float:
            pairs = [(row.get(key), value) for key, value in chosen.items()]
            return sum(abs(a - b) if _are_numbers(a, b) else float(a != b) for a, b in pairs)

        return [self._gains(row) for row in sorted(alike, key=away)[:NEAREST]]

    def _gains(self, row: dict[str, object]) -> Pair:
        return tuple(sign * float(str(row[words])) for sign, words in zip(self._signs, self._words, strict=True))


def _are_numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def hypervolume(points: list[Pair], floor: Pair, ceiling: Pair) -> float:
    """The share of the rectangle from floor to ceiling below the points, of two objectives."""
    scaled = [tuple((x - low) / (high - low) for x, low, high in zip(p, floor, ceiling, strict=True)) for p in points]
    area, height = 0.0, 0.0
    for across, up in sorted(scaled, reverse=True):
        area += max(0.0, across) * max(0.0, up - height)
        height = max(height, up)
    return area


def course(table: Table, plan: Plan, sampler: Sampler, seed: int, trials: int) -> list[float]:
    """The hypervolume of the re-run front after each proposal."""
    random, told, worth, volumes = Random(f"{sampler} {seed}"), dict[str, Pair](), dict[str, Pair](), list[float]()
    fits = Places(plan.file.searched).check
    known: dict[str, bool] = {}

    def check(arm: Arm) -> None:
        key = arm.model_dump_json(exclude={"name"})
        if key not in known:
            fits(arm)
            known[key] = True

    with tempfile.TemporaryDirectory() as folder:
        proposer = Proposer(plan.space, Path(folder), plan.objectives, sampler, seed, "measured", check)
        for _ in range(trials):
            label = proposer.ask().label
            near = table.nearest(dict(proposer.chosen())[label])
            told[label] = random.choice(near)
            worth[label] = tuple(map(fmean, zip(*near, strict=True)))
            proposer.tell(label, told[label])
            front = [worth[each] for each in race.front(told)]
            volumes.append(hypervolume(front, table.floor, table.ceiling))
    return volumes


def main(folder: Path, repetitions: int = 5, trials: int = 100) -> None:
    """Print for each sampler the hypervolume at the end, and after how many trials it is at random's last."""
    plan = planned(SearchStudy.model_validate_json((folder / IDENTITY).read_text(encoding="utf-8")), str(folder))
    if len(plan.objectives) != 2:
        raise StudyError(f"{folder}: measured are searches for two objectives, got {len(plan.objectives)}")
    table = Table(folder, plan)
    print(f"{table.size} trials in the table, {repetitions} repetitions of {trials} proposals")
    goal = None
    for sampler in SAMPLERS:
        courses = [course(table, plan, sampler, seed, trials) for seed in range(repetitions)]
        last = [each[-1] for each in courses]
        means = [fmean(each) for each in zip(*courses, strict=True)]
        goal = means[-1] if goal is None else goal
        there = next((number for number, mean in enumerate(means, start=1) if mean >= goal), None)
        reached = "not reached" if there is None else f"random's after {there} of {trials}"
        half = f"{means[trials // 2 - 1]:.3f} after half"
        print(f"{sampler:>7}: hypervolume {fmean(last):.3f} ± {stdev(last):.3f}, {half}, {reached}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
