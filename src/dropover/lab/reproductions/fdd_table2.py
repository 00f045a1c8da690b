"""FDD, table 2: recognition rates of eight arms on four data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

SAME = (
    "Original and Spatial are one method here: a map that is dropped before the average pool is its pooled feature "
    "dropped. Arms share their random numbers, so ours agree to rounding; the paper's two differ by chance alone."
)
PROPOSED = ("fdd1d", "fdd2d", "fdd3d")


def requests(scale: Scale) -> Sequence[Request]:
    """All arms of the paper, clean; on the paper's four data sets at its own scale."""
    from dropover.lab.reproductions.parts.printed import FDD_ARMS
    from dropover.lab.reproductions.parts.request import Request

    variants = (None, "cifar10", "cifar100", "svhn") if scale == "paper" else (None,)
    return [Request("fdd", variant, FDD_ARMS) for variant in variants]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Arms down, data sets across, as printed."""
    from dropover.lab.reproductions.parts.cells import NAMES, cells, lines, says, set_name
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Table
    from dropover.lab.reproductions.parts.printed import FDD_ARMS, fdd_table2

    printed = fdd_table2()
    ours = {ran.study.data.name: ran.figures() for ran in outcome.ran}
    # A data set that the paper doesn't have comes first, with nothing printed beside it.
    sets = [*(name for name in ours if name not in printed), *printed]
    columns = [cells(FDD_ARMS, ours.get(name, {}), printed.get(name, {}), 1, PROPOSED, PROPOSED) for name in sets]
    heads = [("Proposed" if arm in PROPOSED else "Dropout variants", NAMES[arm]) for arm in FDD_ARMS]
    table = Table(
        "table",
        "Average recognition rates (%), mean ± standard deviation",
        ("", "Methods"),
        tuple(map(set_name, sets)),
        lines(heads, columns),
        notes=(
            "Bold: the best of a column. † above the original dropout by Student's t-test at 0.05, unpaired and not "
            "corrected for the number of arms, as the paper has it.",
            SAME,
        ),
        says=tuple(line for ran in outcome.ran for line in says(ran, ran.figures())),
    )
    rivals = {
        "the original dropout": ("dropout",),
        "no dropout and the other kinds of dropout": ("none", "biased", "spatial", "crossmap"),
    }
    judged = [
        above(
            f"Every FDD beats {words} ({set_name(name)})",
            [found.get(arm) for arm in PROPOSED],
            [found.get(arm) for arm in arms],
        )
        for name, found in ours.items()
        for words, arms in rivals.items()
    ]
    return [table, Claims(judged)]


REPRODUCTIONS.add(
    Reproduction(
        "fdd-table2",
        FDD,
        "Table 2",
        "clean accuracy of no dropout, five kinds of dropout and three of FDD",
        requests,
        draw,
    )
)
