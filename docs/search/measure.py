"""What a search saves against random search: `python docs/search/measure.py [REPETITIONS]`.

Searches are simulated on what arms come to that were really trained (landscape.py), so that they can be repeated: the
proposals are those of the search itself, and so is the race. After a budget of so many trainings, the front is taken of
what was seen, and "re-run": its hypervolume is that of what its arms come to in the mean over seeds. Random search
trains every arm once; "random, raced" has the race of the search, and proposals that learn nothing.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean, stdev

from landscape import Landscape, Pair
from table import plan_of_table

from dropover.lab.searching import race
from dropover.lab.searching.budget import Budget
from dropover.lab.searching.proposing import Proposer
from dropover.lab.searching.reading import Plan
from dropover.lab.searching.settings import Sampler
from dropover.lab.searching.space import Places
from dropover.lab.study import Arm

BUDGETS = (40, 60, 80, 100, 120)
"""In trainings; all that a sampler saves shows against random search at the last."""
NONE = "none"


@dataclass(frozen=True)
class Way:
    """A way of searching: its sampler, whether it races, and as which share of the asked-for repetitions it is run."""

    name: str
    sampler: Sampler
    raced: bool
    share: float = 1.0


WAYS = (
    Way("random search", "random", raced=False),
    Way("random, raced", "random", raced=True),
    Way("tpe", "tpe", raced=True),
    Way("nsga2", "nsga2", raced=True),
    Way("gp", "gp", raced=True, share=0.125),
)


@dataclass(frozen=True)
class Seen:
    """An arm that was proposed: what it comes to in the mean over seeds, and with each seed."""

    worth: Pair
    seeds: list[Pair]


def proposed(plan: Plan, land: Landscape, way: Way, repetition: int, count: int) -> dict[str, Seen]:
    """So many arms, in the order of their proposals; the sampler is told what came of each with the first seed."""
    random, seen = Random(f"{way.sampler} {repetition}"), dict[str, Seen]()
    fits = _remembered(Places(plan.file.searched).check)
    with tempfile.TemporaryDirectory() as folder:
        proposer = Proposer(plan.space, Path(folder), plan.objectives, way.sampler, repetition, "measured", fits)
        while len(seen) < count:
            label = proposer.ask().label
            if label not in seen:
                chosen = dict(proposer.chosen())[label]
                worth = land.worth(chosen)
                seen[label] = Seen(worth, [land.seen(chosen, worth, random) for _ in range(plan.file.search.seeds)])
            proposer.tell(label, seen[label].seeds[0])
    return seen


def front_of(plan: Plan, seen: Mapping[str, Seen], none: list[Pair], way: Way, budget: int) -> list[str]:
    """The front after so many trainings, of which those of no method are a part."""
    search, labels = plan.file.search, list(seen)
    if not way.raced:
        return race.front({label: seen[label].seeds[0] for label in labels[: budget - 1]})
    spending, seeds = Budget(budget, None, search.race), range(search.seeds)
    ran, left = labels[: spending.to_explore(1, 0)], spending.to_race(search.seeds - 1, 0)
    had = dict.fromkeys(ran, 1)
    for lap in seeds[1:]:
        scores = {label: dict(enumerate(seen[label].seeds[:count])) for label, count in had.items()}
        able = race.able({**scores, NONE: dict(enumerate(none))}, ran, NONE, seeds, lap)
        chosen = able[: race.runners(left, search.seeds - lap)]
        had |= dict.fromkeys(chosen, lap + 1)
        left -= len(chosen)
    most = max(had.values())
    values = {label: dict(enumerate(seen[label].seeds[:most])) for label in ran if had[label] == most}
    return race.front(race.means(values, list(values)))


def _remembered(fits: Callable[[Arm], None]) -> Callable[[Arm], None]:
    """The same, asked once of each arm."""
    known: set[str] = set()

    def check(arm: Arm) -> None:
        key = arm.model_dump_json(exclude={"name"})
        if key not in known:
            fits(arm)
            known.add(key)

    return check


def main(repetitions: int = 40) -> None:
    """Print for each way the hypervolume after each budget, and with how many trainings it is random search's last."""
    plan = plan_of_table()
    land = Landscape(plan)
    told = ", ".join(f"{words} {share:.2f}" for words, share in land.told.items())
    print(f"{land.arms} arms were trained; R² of arms that the forest hasn't seen: {told}")
    print(f"{'hypervolume after':>20}{''.join(f'{budget:>8}' for budget in BUDGETS)}  trainings")
    goal = None
    for way in WAYS:
        began, rows = time.perf_counter(), []
        most = Budget(BUDGETS[-1], None, plan.file.search.race).to_explore(1, 0) if way.raced else BUDGETS[-1] - 1
        for repetition in range(max(5, round(repetitions * way.share))):
            seen = proposed(plan, land, way, repetition, most)
            noise = Random(f"none {repetition}")
            none = [land.none_seen(noise) for _ in range(plan.file.search.seeds)]
            fronts = [front_of(plan, seen, none, way, budget) for budget in BUDGETS]
            rows.append([land.volume([seen[label].worth for label in front]) for front in fronts])
        means = [fmean(column) for column in zip(*rows, strict=True)]
        error = stdev(row[-1] for row in rows) / len(rows) ** 0.5
        goal = means[-1] if goal is None else goal
        there = next((budget for budget, mean in zip(BUDGETS, means, strict=True) if mean >= goal), None)
        reached = f"there with {there}" if there else "not there"
        figures = "".join(f"{mean:>8.3f}" for mean in means)
        took = f"{len(rows)} repetitions, {time.perf_counter() - began:.0f} s"
        print(f"{way.name:>20}{figures}  ± {error:.3f}, {reached} ({took})", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
