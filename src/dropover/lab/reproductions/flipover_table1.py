"""Flipover, table 1: clean accuracy of the small CNN."""

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.evidence import Evidence
from dropover.lab.reproductions.parts.flipover import CNN_ARMS, words
from dropover.lab.reproductions.parts.items import Item, Table, cells, lines
from dropover.lab.reproductions.parts.request import Request

BEST = "flipover 0.2"


def draw(evidence: Evidence) -> list[Item]:
    """Methods and rates down, accuracy across."""
    run = evidence.runs[0]
    accuracy = run.figures()
    table = Table(
        "table",
        f"Test accuracy (%) of the small CNN on {run.data_set}",
        ("Method", "Rate"),
        ("Accuracy",),
        lines([words(arm) for arm in CNN_ARMS], [cells(CNN_ARMS, accuracy, {})]),
        notes=("Bold: the best. The article's own figures are not in the text at hand.",),
        says=run.says(accuracy),
    )
    others = [arm for arm in CNN_ARMS if arm != BEST]
    claim = beats("Flipover 0.2 has the best clean accuracy of all settings", accuracy, [BEST], others)
    return [table, Claims([claim])]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-table1",
        FLIPOVER,
        "Table 1",
        "clean accuracy of the small CNN under flipover and dropout at several rates",
        (Request("flipover-cnn", None, CNN_ARMS),),
        draw,
    )
)
