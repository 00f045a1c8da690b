"""The tables of study.md, made from fashion-mnist.csv and mnist-5k.csv.

Those are what `dropover compare findings` and `dropover compare findings --variant mnist-5k` wrote as results.csv. To
take over new ones, copy them here under these names and run tables.py.
"""

import math
from pathlib import Path

import pandas as pd
from scipy import stats

from dropover.lab.judging.statistics import holm, paired_difference, sign_flip, spread

HERE = Path(__file__).parent
SETS = {"fashion-mnist": "Fashion-MNIST", "mnist-5k": "mnist-5k"}
ATTACKED = [(attack, eps) for eps in (0.03, 0.1) for attack in ("fgsm", "apgd", "apgd-dlr", "square", "worst")]
COMPARED = [("clean", None), ("fgsm", 0.03), ("apgd-dlr", 0.03), ("worst", 0.03), ("fgsm", 0.1), ("worst", 0.1)]
QUESTIONS = {
    "rescaling": [
        ("fdd1d none", "fdd1d mean"),
        ("fdd1d none", "fdd1d layer"),
        ("fdd2d none", "fdd2d mean"),
        ("fdd2d none", "fdd2d layer"),
        ("flipover none", "flipover mean"),
    ],
    "orderings": [("fdd1d none", "dropout"), ("fdd2d none", "dropout"), ("flipover none", "dropout")],
    "parents": [
        ("density-flip", "fdd2d half"),
        ("density-flip", "flip elements"),
        ("density-flip", "flip whole maps"),
        ("density-flip", "none"),
    ],
}


def of_seeds(table: pd.DataFrame, arm: str, measure: str, level: float | None) -> list[float]:
    """One arm's values in percent of all images, in the order of the seeds."""
    rows = table[(table["arm"] == arm) & (table["measure"] == measure) & table["of"].isna()]
    rows = rows[rows["level"].isna()] if level is None else rows[rows["level"] == level]
    return [100 * float(value) for value in rows.sort_values("seed")["value"]]


def accuracies(table: pd.DataFrame) -> list[str]:
    """Every arm's accuracy, clean and under each attack."""
    lines = _head(["arm", "clean", *(f"{attack} {eps:g}" for attack, eps in ATTACKED)])
    for arm in table["arm"].unique():
        cells = [of_seeds(table, arm, measure, level) for measure, level in [("clean", None), *ATTACKED]]
        told = [f"{math.fsum(values) / len(values):.1f} ± {spread(values) or 0:.1f}" for values in cells]
        lines.append(_line([arm, *told]))
    return lines


def differences(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> list[str]:
    """Paired differences with their 95 % intervals, marked where they can be told from chance."""
    lines = _head(
        ["difference", *(measure if level is None else f"{measure} {level:g}" for measure, level in COMPARED)]
    )
    columns = [_column(table, pairs, measure, level) for measure, level in COMPARED]
    for row, (arm, other) in enumerate(pairs):
        lines.append(_line([f"{arm} - {other}", *(column[row] for column in columns)]))
    return lines


def _column(table: pd.DataFrame, pairs: list[tuple[str, str]], measure: str, level: float | None) -> list[str]:
    values = [[of_seeds(table, arm, measure, level) for arm in pair] for pair in pairs]
    corrected = holm([float(stats.ttest_rel(a, b).pvalue) for a, b in values])
    cells = []
    for (a, b), p in zip(values, corrected, strict=True):
        found = paired_difference(a, b)
        mark = "" if not p < 0.05 else "\\*\\*" if sign_flip(a, b) < 0.05 else "\\*"
        # Rounded to tenths before, and 0 added: -0.0 depends on the last bit of a mean.
        mean, low, high = (round(value, 1) + 0.0 for value in (found.mean, found.low, found.high))
        cells.append(f"{mean:+.1f} ({low:+.1f} to {high:+.1f}){mark}")
    return cells


def _head(titles: list[str]) -> list[str]:
    return [_line(titles), "|---" + "|--:" * (len(titles) - 1) + "|"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def blocks() -> dict[str, list[str]]:
    """Every table of the page, by its name there."""
    made = {}
    for name, title in SETS.items():
        table = pd.read_csv(HERE / f"{name}.csv")
        parts = {"accuracies": accuracies(table)} | {
            question: differences(table, pairs) for question, pairs in QUESTIONS.items()
        }
        made |= {f"{name} {part}": [f"{title}:", "", *lines] for part, lines in parts.items()}
    return made
