"""FDD, figure 5: rates that fall with the density against rates that rise with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ARMS = ("fdd1d", "fdd2d", "fdd3d")
BASELINES = ("none", "dropout", "spatial")


def requests(scale: Scale) -> Sequence[Request]:
    """FDD of both signs and the baselines, clean; on the paper's four data sets at its own scale."""
    from dropover.lab.reproductions.parts.request import Request

    variants = (None, "cifar10", "cifar100", "svhn") if scale == "paper" else (None,)
    arms = (*BASELINES, *ARMS, *(f"{arm} positive" for arm in ARMS))
    return [Request("fdd", variant, arms) for variant in variants]


def draw(outcome: Outcome) -> Sequence[Item]:
    """A panel a data set, a row a method, the two signs side by side."""
    import pandas as pd

    from dropover.lab.pictures.plots import dots
    from dropover.lab.reproductions.parts.cells import NAMES, says, set_name
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Picture

    def group(arm: str) -> str:
        return "no density" if arm in BASELINES else "positive" if arm.endswith("positive") else "negative"

    panels = {}
    for ran in outcome.ran:
        rows = ran.table[ran.table["measure"] == "clean"]
        panels[set_name(ran.study.data.name)] = pd.DataFrame(
            {
                "arm": [NAMES[arm.removesuffix(" positive")] for arm in rows["arm"]],
                "seed": rows["seed"].to_numpy(),
                "group": [group(arm) for arm in rows["arm"]],
                "value": rows["value"].to_numpy(),
            }
        )
    data = pd.concat([panel.assign(data=name) for name, panel in panels.items()])
    picture = Picture(
        "figure",
        "Recognition accuracy with positive and negative correlation",
        "Each dot is a seed, each bar the mean. Negative: dense cells are dropped with p = 0.1, sparse ones up to 0.9 "
        "(slope -0.8, intercept 0.9); positive: the reverse (0.8, 0.1).",
        dots(panels),
        data,
        says=tuple(line for ran in outcome.ran for line in says(ran, ran.figures())),
    )
    judged = []
    for ran in outcome.ran:
        found = ran.figures()
        judged += [
            above(
                f"{NAMES[arm]} with negative correlation beats positive ({set_name(ran.study.data.name)})",
                [found.get(arm)],
                [found.get(f"{arm} positive")],
            )
            for arm in ARMS
        ]
        judged.append(
            above(
                "FDD with negative correlation beats no dropout and the original dropout "
                f"({set_name(ran.study.data.name)})",
                [found.get(arm) for arm in ARMS],
                [found.get(arm) for arm in ("none", "dropout")],
            )
        )
    return [picture, Claims(judged)]


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure5",
        FDD,
        "Figure 5",
        "clean accuracy of FDD when dense cells are dropped seldom (the method) or often",
        requests,
        draw,
        deviations=(
            "Dots of every seed, not the paper's bars; its figures here are only in the picture, not in print.",
        ),
    )
)
