"""Flipover, table 1: clean accuracy of the small CNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ARMS = (
    "none",
    *(f"dropout {p}" for p in (0.1, 0.3, 0.5, 0.7, 0.9)),
    *(f"flipover {p}" for p in (0.1, 0.2, 0.3, 0.4)),
)


def requests(scale: Scale) -> Sequence[Request]:
    """All rates of both methods, clean."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("flipover-cnn", None, ARMS)]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Methods and rates down, accuracy across."""
    from dropover.lab.reproductions.parts.cells import cells, lines, says, set_name, words
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Table

    ran = outcome.ran[0]
    found = ran.figures()
    table = Table(
        "table",
        f"Test accuracy (%) of the small CNN on {set_name(ran.study.data.name)}",
        ("Method", "Rate"),
        ("Accuracy",),
        lines([words(arm) for arm in ARMS], [cells(ARMS, found, {})]),
        notes=("Bold: the best. The article's own figures are not in the text at hand.",),
        says=tuple(says(ran, found)),
    )
    best, others = [found.get("flipover 0.2")], [found.get(arm) for arm in ARMS if arm != "flipover 0.2"]
    return [table, Claims([above("Flipover 0.2 has the best clean accuracy of all settings", best, others)])]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-table1",
        FLIPOVER,
        "Table 1",
        "clean accuracy of the small CNN under flipover and dropout at several rates",
        requests,
        draw,
    )
)
