"""Train rate × test rate: the figures of every pair, and the pair that keeps most under attack."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from dropover.lab.judging.comparison import Figure
from dropover.lab.records.labels import AT_INFERENCE
from dropover.lab.records.rows import CLEAN
from dropover.lab.reproductions.parts.outcome import Ran

Grid = Mapping[tuple[float, float], Figure]
"""(train rate, test rate) to a figure over seeds."""


def grid(ran: Ran, measure: str = CLEAN) -> dict[tuple[float, float], Figure]:
    """Every pair's figure, "clean" or "ATTACK EPS"; each named after its method and pair."""
    found = {}
    for test in ran.study.evaluation.inference_rates:
        for label, figure in ran.figures(measure + AT_INFERENCE, test).items():
            arm = ran.arm(label)
            train = float(arm.settings["p"])
            found[train, test] = replace(figure, arm=f"{arm.method} {pair_text((train, test))}")
    return found


def whole(ran: Ran, found: Grid) -> bool:
    """Whether every pair that was asked for has a figure, so that its best is the best of all."""
    return len(found) == len(ran.study.arms) * len(ran.study.evaluation.inference_rates)


def pair_text(pair: tuple[float, float]) -> str:
    """A pair as the article writes it."""
    return f"({pair[0]:g}, {pair[1]:g})"


def best(found: Grid) -> tuple[float, float]:
    """The pair with the highest mean; of equals the one with the smallest rates."""
    return min(found, key=lambda pair: (-round(found[pair].mean, 9), pair))


def as_frame(found: Grid) -> pd.DataFrame:
    """Means with train rates down and test rates across."""
    frame = pd.Series({pair: figure.mean for pair, figure in found.items()}).unstack()
    return frame.sort_index().sort_index(axis=1)


def long(panels: Mapping[str, Grid]) -> pd.DataFrame:
    """A row for each panel and pair."""
    return pd.DataFrame(
        [
            {"panel": panel, "train_rate": train, "test_rate": test, "mean": figure.mean, "spread": figure.spread}
            for panel, found in panels.items()
            for (train, test), figure in found.items()
        ]
    )
