"""What the Flipover article's tables and figures share: arms by method and rate, and train rate × test rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from dropover.lab.reproductions.parts.studies import Request, Run

if TYPE_CHECKING:
    from dropover.lab.judging.comparison import Figure

    Grid = Mapping[tuple[float, float], Figure]

ATTACKS = ATTACK, CHECK = "fgsm", "apgd-dlr"
EPS = 0.25
COLUMNS = ("Clean", ATTACK.upper(), f"{CHECK.upper()} (ours)")
"""What `Accuracies` are called in a table."""
Pair = tuple[float, float]
"""Train rate and test rate."""
Value = TypeVar("Value")


class Accuracies(NamedTuple, Generic[Value]):
    """Something of each accuracy: clean, under the article's attack at its ε, and under a margin loss there."""

    clean: Value
    attacked: Value
    margin: Value


def with_rates(method: str, *rates: float) -> tuple[str, ...]:
    """The labels of a method's arms."""
    return tuple(f"{method} {rate}" for rate in rates)


CNN_ARMS = ("none", *with_rates("dropout", 0.1, 0.3, 0.5, 0.7, 0.9), *with_rates("flipover", 0.1, 0.2, 0.3, 0.4))
"""The small CNN's, in the order of the article's tables."""


def words(arm: str) -> tuple[str, str]:
    """An arm's method and rate as a table has them: "flipover 0.2" is ("Flipover", "0.2")."""
    method, _, rate = arm.partition(" ")
    return ("No regularization", "") if method == "none" else (method.capitalize(), rate)


def grid_requests(file: str, dropout: tuple[float, ...], flipover: tuple[float, ...]) -> tuple[Request, ...]:
    """A network with both methods, each over its own range of train rates, at every test rate."""
    return tuple(
        Request(file, f"{method}-grid", with_rates(method, *rates), ATTACKS, rates=True)
        for method, rates in (("dropout", dropout), ("flipover", flipover))
    )


CNN_GRIDS = grid_requests("flipover-cnn", (0, 0.1, 0.3, 0.5, 0.7, 0.9), (0, 0.1, 0.2, 0.3, 0.4))


def of_arm(run: Run, arm: str) -> Accuracies[Figure | None]:
    """An arm's accuracies, at the one rate that it has."""
    return Accuracies(*(run.figures(*at).get(arm) for at in (("clean", None), (ATTACK, EPS), (CHECK, EPS))))


def grids(run: Run) -> Accuracies[Grid]:
    """Every pair's accuracies; each figure is named after its method and pair."""
    return Accuracies(*(_grid(run, measure) for measure in ("clean", f"{ATTACK} {EPS:g}", f"{CHECK} {EPS:g}")))


def _grid(run: Run, measure: str) -> Grid:
    figures = {}
    for test in run.study.evaluation.inference_rates:
        for label, figure in run.figures(f"{measure} at inference", test).items():
            arm = run.arm(label)
            pair = float(arm.settings["p"]), test
            figures[pair] = replace(figure, arm=f"{arm.method} {pair_text(pair)}")
    return figures


def of_pair(grids: Accuracies[Grid], pair: Pair) -> Accuracies[Figure | None]:
    """A pair's accuracies."""
    return Accuracies(*(grid.get(pair) for grid in grids))


def whole(run: Run, grid: Grid) -> bool:
    """Whether every pair that was asked for has a figure, so that its best is the best of all."""
    return len(grid) == len(run.study.arms) * len(run.study.evaluation.inference_rates)


def best(grid: Grid) -> Pair:
    """The pair with the highest mean; of equals the one with the smallest rates."""
    return min(grid, key=lambda pair: (-round(grid[pair].mean, 9), pair))


def pair_text(pair: Pair) -> str:
    """A pair as the article writes it."""
    return f"({pair[0]:g}, {pair[1]:g})"
