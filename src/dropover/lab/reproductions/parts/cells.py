"""From figures over seeds, and figures as printed, to the cells of a table with the marks that the papers use."""

import math
from collections.abc import Mapping, Sequence

from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import Figure
from dropover.lab.reproductions.parts.items import Cell, Line
from dropover.lab.reproductions.parts.outcome import Ran
from dropover.lab.reproductions.parts.printed import Printed

NAMES = {
    "none": "Non-dropout",
    "dropout": "Original",
    "biased": "Biased",
    "spatial": "Spatial",
    "crossmap": "Crossmap",
    "fdd1d": "FDD-1D",
    "fdd2d": "FDD-2D",
    "fdd3d": "FDD-3D",
}
"""The FDD paper's names of its arms."""

SETS = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "svhn": "SVHN",
    "mnist": "MNIST",
    "mnist-5k": "MNIST-5k",
}
"""Data sets as they are written."""


def set_name(name: str) -> str:
    """A data set's name as it is written in a table."""
    return SETS.get(name, name)


def cells(
    arms: Sequence[str],
    ours: Mapping[str, Figure],
    printed: Mapping[str, Printed],
    top: int = 1,
    daggers: Sequence[str] = (),
    printed_daggers: Sequence[str] = (),
) -> list[Cell]:
    """One cell an arm.

    Args:
        arms: The arms, in the table's order.
        ours: Our figures, those there are.
        printed: The printed ones, those there are.
        top: How many of the best are bold.
        daggers: Arms that get a † where ours are above the reference by Student's t-test.
        printed_daggers: Arms that have a † in print.
    """
    best = _best({arm: figure.mean for arm, figure in ours.items() if arm in arms}, top)
    best_printed = _best({arm: value.mean for arm, value in printed.items()}, top)
    return [
        Cell(
            ours.get(arm),
            printed.get(arm),
            bold=arm in best,
            dagger=arm in daggers and arm in ours and ours[arm].dagger,
            printed_bold=arm in best_printed,
            printed_dagger=arm in printed_daggers,
        )
        for arm in arms
    ]


def lines(heads: Sequence[tuple[str, ...]], columns: Sequence[Sequence[Cell]]) -> tuple[Line, ...]:
    """Rows from columns: each with its heads and its cell of every column."""
    return tuple(Line(head, tuple(row)) for head, row in zip(heads, zip(*columns, strict=True), strict=True))


def _best(means: Mapping[str, float], top: int) -> set[str]:
    """The arms with the highest means: `top` at most, but for ties of the very best; none where all are equal."""
    rounded = {arm: round(mean, 9) for arm, mean in means.items() if math.isfinite(mean)}
    values = sorted(set(rounded.values()), reverse=True)
    found: set[str] = set()
    for value in values if len(values) > 1 else []:
        group = {arm for arm, mean in rounded.items() if mean == value}
        if found and len(found | group) > top:
            break
        found |= group
    return found


def says(ran: Ran, found: Mapping[str, Figure]) -> list[str]:
    """What the seeds say about one row of figures: each arm against the reference arm, and the power of the test."""
    others = [figure for figure in found.values() if figure.difference is not None]
    start = f"{set_name(ran.study.data.name)}, "
    lines = [f"{start}{figure.arm}: {verdicts.against_reference(figure, ran.study.reference)}" for figure in others]
    return [*lines, *verdicts.about_the_test(others)]


def words(arm: str) -> tuple[str, str]:
    """A Flipover arm's method and rate as a table has them: "flipover 0.2" is ("Flipover", "0.2")."""
    method, _, rate = arm.partition(" ")
    return ("No regularisation", "") if method == "none" else (method.capitalize(), rate)
