"""FDD, figure 7: accuracy against ε under FGSM, in L∞ and L2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale


def requests(scale: Scale) -> Sequence[Request]:
    """Table 3's studies, and the L2 attacks beside them."""
    from dropover.lab.reproductions.fdd_table3 import ARMS
    from dropover.lab.reproductions.fdd_table3 import requests as of_table3
    from dropover.lab.reproductions.parts.request import Request

    linf = of_table3(scale)
    l2 = [Request("fdd", one.variant, ARMS, ("fgsm l2", "apgd-dlr l2"), part="l2") for one in linf]
    return [request for pair in zip(linf, l2, strict=True) for request in pair]


def draw(outcome: Outcome) -> Sequence[Item]:
    """FGSM as in the paper; then the same with a margin loss."""
    import pandas as pd

    from dropover.lab.pictures.curves import curves
    from dropover.lab.reproductions.parts.cells import NAMES, set_name
    from dropover.lab.reproductions.parts.items import Picture

    def picture(name: str, title: str, attack: str, caption: str) -> Picture:
        panels = {}
        for ran in outcome.ran:
            norm = "L2" if ran.request.part == "l2" else "L∞"
            rows = ran.table[ran.table["measure"] == f"{attack}{' l2' if norm == 'L2' else ''} (of correct)"]
            start = rows.drop_duplicates(["arm", "seed"]).assign(level=0.0, value=1.0)
            both = pd.concat([start, rows]).sort_values("level", kind="stable")
            panels[f"{set_name(ran.study.data.name)}, {norm}"] = both.assign(arm=both["arm"].map(NAMES))
        data = pd.concat([panel.assign(panel=name) for name, panel in panels.items()])
        return Picture(name, title, caption, curves(panels, "ε"), data.drop(columns="measure"))

    return [
        picture(
            "figure",
            "Recognition accuracy against ε under FGSM",
            "fgsm",
            "Share of the images recognised clean that stay recognised, under FGSM: mean over seeds, the band is one "
            "standard deviation.",
        ),
        picture(
            "figure-margin",
            "The same under APGD with a margin loss (not in the paper)",
            "apgd-dlr",
            "What is left of figure 7 under APGD with the difference-of-logits ratio, whose gradient large logits "
            "don't hide.",
        ),
    ]


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
