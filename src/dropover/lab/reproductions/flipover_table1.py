"""Flipover, table 1: clean accuracy of the small CNN."""

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts import flipover
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.items import Item, Table, cells, lines
from dropover.lab.reproductions.parts.studies import Evidence, Request

BEST = "flipover 0.2"


@reproduces(
    FLIPOVER,
    "Table 1",
    "clean accuracy of the small CNN under flipover and dropout at several rates",
    Request("flipover-cnn", None, flipover.CNN_ARMS),
)
def draw(evidence: Evidence) -> list[Item]:
    """Methods and rates down, accuracy across."""
    run = evidence.runs[0]
    accuracy = run.figures()
    table = Table(
        "table",
        f"Test accuracy (%) of the small CNN on {run.data_set}",
        ("Method", "Rate"),
        ("Accuracy",),
        lines([flipover.words(arm) for arm in flipover.CNN_ARMS], [cells(flipover.CNN_ARMS, accuracy, {})]),
        notes=("Bold: the best. The article's own figures are not in the text at hand.",),
        says=run.says(accuracy),
    )
    others = [arm for arm in flipover.CNN_ARMS if arm != BEST]
    claim = beats("Flipover 0.2 has the best clean accuracy of all settings", accuracy, [BEST], others)
    return [table, Claims([claim])]
