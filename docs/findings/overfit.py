"""The tables of overfit.md, made from overfit.csv: what `dropover compare overfit` wrote as results.csv."""

from pathlib import Path

import pandas as pd

from dropover.lab.judging.deciding import Comparison, decide
from dropover.lab.judging.statistics import spread

HERE = Path(__file__).parent
MARGIN = 0.005
"""Shares of images: half a point, as in every study."""
REFERENCES = ("none", "dropout")


def curves(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """A measure by epoch (rows) and by arm and seed (columns)."""
    rows = table[table["measure"] == measure]
    return rows.pivot_table(index="level", columns=["arm", "seed"], values="value", sort=False)


def training(table: pd.DataFrame) -> list[str]:
    """Every arm's accuracy at the end, and what overfits: losses at the end and the lowest test loss of any epoch."""
    train, test, right = (curves(table, measure) for measure in ("train_loss", "test_loss", "test_accuracy"))
    clean = table[table["measure"] == "clean"]
    lines = [
        "| arm | seeds | test accuracy | best epoch's | training loss | test loss | lowest test loss, in epoch |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for arm in table["arm"].unique():
        ends = 100 * clean[clean["arm"] == arm]["value"]
        cells = [
            arm,
            str(len(ends)),
            f"{ends.mean():.2f} ± {spread(list(ends)) or 0:.2f} %",
            f"{100 * right[arm].max().mean():.2f} %",
            f"{train[arm].iloc[-1].mean():.4f}",
            f"{test[arm].iloc[-1].mean():.3f}",
            f"{test[arm].min().mean():.3f}, {test[arm].idxmin().mean():.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def verdicts(table: pd.DataFrame) -> list[str]:
    """Every arm's clean accuracy against no regularizer, and against dropout."""
    clean = table[table["measure"] == "clean"].set_index(["arm", "seed"])["value"]
    values = {arm: {int(seed): float(value) for seed, value in clean[arm].items()} for arm in table["arm"].unique()}
    lines = ["| arm | against none, points | | against dropout, points | |", "|---|--:|---|--:|---|"]
    against = [{each.arm: each for each in decide(values, reference, MARGIN).comparisons} for reference in REFERENCES]
    for arm in values:
        cells = [cell for others in against for cell in _cells(others.get(arm))]
        lines.append(f"| {' | '.join([arm, *cells])} |")
    return lines


def _cells(comparison: Comparison | None) -> tuple[str, str]:
    if comparison is None:
        return "", ""
    if comparison.difference is None or comparison.low is None or comparison.high is None:
        return "", comparison.verdict
    mean, low, high = (
        round(100 * value, 2) + 0.0 for value in (comparison.difference, comparison.low, comparison.high)
    )
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})", comparison.verdict


def blocks() -> dict[str, list[str]]:
    """Every table of the page, by its name there."""
    table = pd.read_csv(HERE / "overfit.csv")
    return {"overfit training": training(table), "overfit verdicts": verdicts(table)}
