"""Flipover, figure 2: training and test loss over the epochs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.flipover import with_rates
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table
from dropover.lab.reproductions.parts.studies import Evidence, Request

if TYPE_CHECKING:
    import pandas as pd

ARMS = ("none", *with_rates("flipover", 0.1, 0.2, 0.3), *with_rates("dropout", 0.1, 0.3, 0.5, 0.7, 0.9))
"""The article's nine panels: (a) none, (b)-(d) flipover, (e)-(i) dropout. It does not print the rates."""
BELOW = {
    "flipover 0.2": {"dropout 0.5": "dropout 0.5", "none": "no regularization", "flipover 0.1": "flipover 0.1"},
    "flipover 0.3": {"flipover 0.2": "flipover 0.2"},
}
"""Each arm and those that it ends below in the article, in words."""


@reproduces(
    FLIPOVER,
    "Figure 2",
    "training and test loss of the small CNN without regularization, with flipover, with dropout",
    Request("flipover-cnn", None, ARMS),
    deviations=("The article prints no rates for its panels: flipover 0.1 to 0.3 and dropout 0.1 to 0.9 here.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """A panel an arm, every seed a line."""
    from dropover.lab.pictures.plots import losses

    run = evidence.runs[0]
    rows = run.rows("train_loss", "test_loss")
    rows = rows.sort_values("arm", key=lambda arms: arms.map(ARMS.index), kind="stable")
    last = run.figures("test_loss", run.study.training.epochs)
    return [
        Illustration(
            "figure",
            "Training and test loss",
            "Cross-entropy over the epochs, every seed a line. The training loss is that of the regularized net.",
            losses(rows),
            rows,
        ),
        Table(
            "last-epoch",
            "Cross-entropy after the last epoch, and the least test loss of any epoch; means over seeds",
            ("Method",),
            ("training", "test", "least test"),
            list(_lines(rows)),
        ),
        Claims(
            [
                beats(f"{arm.capitalize()} ends at a lower test loss than {words}", last, [other], [arm], factor=1)
                for arm, others in BELOW.items()
                for other, words in others.items()
            ]
        ),
    ]


def _lines(rows: pd.DataFrame) -> Iterator[Line]:
    """Each arm's training and test loss after the last epoch, and the least test loss: each seed's, then the mean."""
    for arm, of_arm in rows.groupby("arm", sort=False):
        last = of_arm[of_arm["level"] == of_arm["level"].max()].groupby("measure")["value"].mean()
        least = of_arm[of_arm["measure"] == "test_loss"].groupby("seed")["value"].min().mean()
        values = (last["train_loss"], last["test_loss"], least)
        yield Line((str(arm),), tuple(Cell(text=f"{value:.3f}") for value in values))
