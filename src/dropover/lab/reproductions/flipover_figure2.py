"""Flipover, figure 2: training and test loss over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
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
    from dropover.lab.pictures.curves import losses
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Picture

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
    flipover = [final.get("flipover 0.2")]
    judged = [
        above(f"Flipover 0.2 ends at a lower test loss than {words}", [final.get(arm)], flipover, factor=1)
        for arm, words in (("dropout 0.5", "dropout 0.5"), ("none", "no regularisation"))
    ]
    return [picture, Claims(judged)]


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
