"""FDD, figure 7: accuracy against ε under FGSM, in L∞ and L2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome, Ran
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ATTACK, CHECK = "fgsm", "apgd-dlr"


def requests(scale: Scale) -> Sequence[Request]:
    """Table 3's studies, and the L2 attacks beside them."""
    from dropover.lab.reproductions.fdd_table3 import ARMS
    from dropover.lab.reproductions.fdd_table3 import requests as of_table3
    from dropover.lab.reproductions.parts.request import Request

    linf = of_table3(scale)
    l2 = [Request("fdd", one.variant, ARMS, (f"{ATTACK} l2", f"{CHECK} l2"), part="l2") for one in linf]
    return [request for pair in zip(linf, l2, strict=True) for request in pair]


def draw(outcome: Outcome) -> Sequence[Item]:
    """FGSM as in the paper; then the same with a margin loss; then both in figures."""
    import pandas as pd

    from dropover.lab.pictures.plots import curves
    from dropover.lab.reproductions.parts.cells import NAMES
    from dropover.lab.reproductions.parts.items import Picture

    def picture(name: str, title: str, attack: str, caption: str) -> Picture:
        panels = {}
        for ran in outcome.ran:
            rows = ran.table[ran.table["measure"] == _measure(ran, attack)]
            start = rows.drop_duplicates(["arm", "seed"]).assign(level=0.0, value=1.0)
            both = pd.concat([start, rows]).sort_values("level", kind="stable")
            panels[_panel(ran)] = both.assign(arm=both["arm"].map(NAMES))
        data = pd.concat([panel.assign(panel=name) for name, panel in panels.items()])
        return Picture(name, title, caption, curves(panels, "ε"), data.drop(columns="measure"))

    return [
        picture(
            "figure",
            "Recognition accuracy against ε under FGSM",
            ATTACK,
            "Share of the images recognised clean that stay recognised, under FGSM: mean over seeds, the band is one "
            "standard deviation.",
        ),
        picture(
            "figure-margin",
            "The same under APGD with a margin loss (not in the paper)",
            CHECK,
            "What is left of figure 7 under APGD with the difference-of-logits ratio, whose gradient large logits "
            "don't hide.",
        ),
        _table(outcome),
        _claims(outcome),
    ]


def _measure(ran: Ran, attack: str) -> str:
    return f"{attack}{' l2' if ran.request.part == 'l2' else ''} (of correct)"


def _panel(ran: Ran) -> str:
    from dropover.lab.reproductions.parts.cells import set_name

    return f"{set_name(ran.study.data.name)}, {'L2' if ran.request.part == 'l2' else 'L∞'}"


def _table(outcome: Outcome) -> Item:
    """The points of both pictures' curves."""
    from dropover.lab.judging.comparison import levels
    from dropover.lab.reproductions.fdd_table2 import SAME
    from dropover.lab.reproductions.fdd_table3 import ARMS
    from dropover.lab.reproductions.parts.cells import NAMES, cells
    from dropover.lab.reproductions.parts.items import Line, Table

    lines = [
        Line(
            (_panel(ran), attack.upper(), f"ε = {eps:g}"),
            tuple(cells(ARMS, ran.figures(_measure(ran, attack), eps), {}, top=3)),
            added=attack == CHECK,
        )
        for ran in outcome.ran
        for attack in (ATTACK, CHECK)
        for eps in levels(ran.table, _measure(ran, attack))
    ]
    return Table(
        "table",
        "The points of the curves: share (%) of the images recognised clean that stay recognised",
        ("Panel", "Attack", "Intensity"),
        tuple(NAMES[arm] for arm in ARMS),
        tuple(lines),
        notes=("Bold: the top three of a row.", SAME),
    )


def _claims(outcome: Outcome) -> Item:
    """That FDD is above the others where the paper says so: at the larger intensities, of which the last is judged."""
    from dropover.lab.judging.comparison import levels
    from dropover.lab.reproductions.fdd_table2 import PROPOSED
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims

    judged = []
    for ran in outcome.ran:
        for attack in (ATTACK, CHECK):
            own = "" if attack == ATTACK else " (our check, not the paper's claim)"
            eps = levels(ran.table, _measure(ran, attack))[-1]
            found = ran.figures(_measure(ran, attack), eps)
            judged.append(
                above(
                    f"FDD keeps more than no dropout and the original dropout under {attack.upper()} at ε = {eps:g} "
                    f"({_panel(ran)}){own}",
                    [found.get(arm) for arm in PROPOSED],
                    [found.get(arm) for arm in ("none", "dropout")],
                )
            )
    return Claims(judged)


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure7",
        FDD,
        "Figure 7",
        "accuracy against ε under FGSM in L∞ and L2; and the same with a margin loss",
        requests,
        draw,
        deviations=(
            "The paper's curves come without printed figures: only their course can be compared. The ε are ours.",
        ),
    )
)
