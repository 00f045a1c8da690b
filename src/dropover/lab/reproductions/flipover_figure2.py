"""Flipover, figure 2: training and test loss over the epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    import pandas as pd

    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ARMS = ("none", *(f"flipover {p}" for p in (0.1, 0.2, 0.3)), *(f"dropout {p}" for p in (0.1, 0.3, 0.5, 0.7, 0.9)))
"""The article's nine panels: (a) none, (b)-(d) flipover, (e)-(i) dropout. It does not print the rates."""


def requests(scale: Scale) -> Sequence[Request]:
    """Nine arms on the small CNN."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("flipover-cnn", None, ARMS)]


def draw(outcome: Outcome) -> Sequence[Item]:
    """A panel an arm, every seed a line."""
    from dropover.lab.pictures.plots import losses
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Cell, Claims, Line, Picture, Table

    ran = outcome.ran[0]
    rows = ran.table[ran.table["measure"].isin(["train_loss", "test_loss"])]
    rows = rows.sort_values("arm", key=lambda arms: arms.map(ARMS.index), kind="stable")
    picture = Picture(
        "figure",
        "Training and test loss",
        "Cross-entropy over the epochs, every seed a line. The training loss is that of the regularised net.",
        losses(rows),
        rows,
    )
    final = ran.figures("test_loss", ran.study.training.epochs)
    # The article has each of the first below the second.
    pairs = (
        ("flipover 0.2", "dropout 0.5"),
        ("flipover 0.2", "none"),
        ("flipover 0.2", "flipover 0.1"),
        ("flipover 0.3", "flipover 0.2"),
    )
    judged = [
        above(
            f"{arm.capitalize()} ends at a lower test loss than {'no regularisation' if other == 'none' else other}",
            [final.get(other)],
            [final.get(arm)],
            factor=1,
        )
        for arm, other in pairs
    ]
    losses_end = Table(
        "last-epoch",
        "Cross-entropy after the last epoch, and the least test loss of any epoch; means over seeds",
        ("Method",),
        ("training", "test", "least test"),
        tuple(Line((arm,), tuple(Cell(text=f"{value:.3f}") for value in values)) for arm, values in _ends(rows)),
    )
    return [picture, losses_end, Claims(judged)]


def _ends(rows: pd.DataFrame) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Each arm's training and test loss after the last epoch, and the least test loss: each seed's, then the mean."""
    for arm in ARMS:
        own = rows[rows["arm"] == arm]
        if own.empty:
            continue
        last = own[own["level"] == own["level"].max()].groupby("measure")["value"].mean()
        least = own[own["measure"] == "test_loss"].groupby("seed")["value"].min().mean()
        yield arm, (float(last["train_loss"]), float(last["test_loss"]), float(least))


REPRODUCTIONS.add(
    Reproduction(
        "flipover-figure2",
        FLIPOVER,
        "Figure 2",
        "training and test loss of the small CNN without regularisation, with flipover, with dropout",
        requests,
        draw,
        deviations=("The article prints no rates for its panels: flipover 0.1 to 0.3 and dropout 0.1 to 0.9 here.",),
    )
)
