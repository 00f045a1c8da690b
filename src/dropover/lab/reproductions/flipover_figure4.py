"""Flipover, figure 4: accuracy by train rate and test rate, clean and under attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

CLAIMED = {"dropout": (0.7, 0.9), "flipover": (0.3, 0.0)}
"""The best (train, test) pair of each method, by the article."""
DRAWS = (
    "Where the test rate is above 0 the net is random: each gradient is of one draw, so these figures are too high, "
    "and an attack that averages over draws (eot) leaves less."
)
ATTACK, CHECK, EPS = "fgsm", "apgd-dlr", 0.25


def requests(scale: Scale) -> Sequence[Request]:
    """Both methods on the small CNN, each over its own range of rates."""
    from dropover.lab.reproductions.parts.request import Request

    rates = {"dropout": (0, 0.1, 0.3, 0.5, 0.7, 0.9), "flipover": (0, 0.1, 0.2, 0.3, 0.4)}
    return [
        Request("flipover-cnn", f"{method}-grid", tuple(f"{method} {p}" for p in own), (ATTACK, CHECK), rates=True)
        for method, own in rates.items()
    ]


def draw(outcome: Outcome) -> Sequence[Item]:
    """The article's four heat maps, and the attacked two once more under a margin loss."""
    from dropover.lab.pictures.rates import rate_grid
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.grid import as_frame, best, grid, long, pair_text, whole
    from dropover.lab.reproductions.parts.items import Claims, Picture

    panels, checked, judged = {}, {}, []
    for ran in outcome.ran:
        method = ran.study.arms[0].method
        claimed = CLAIMED[method]
        attacked = grid(ran, f"{ATTACK} {EPS:g}")
        panels[f"{method}, clean"] = grid(ran)
        panels[f"{method}, FGSM"] = attacked
        checked[f"{method}, {CHECK.upper()} (not in the article)"] = grid(ran, f"{CHECK} {EPS:g}")
        others = {pair: figure for pair, figure in attacked.items() if pair != claimed}
        judged.append(
            above(
                f"{pair_text(claimed)} is the best (train, test) pair of {method} under attack",
                [attacked.get(claimed)],
                [others[best(others)] if whole(ran, attacked) else None],
            )
        )
    caption = f"Mean accuracy over seeds, in percent; train rates down, test rates across; ε = {EPS:g}."
    pictures: list[Item] = [
        Picture(
            "figure",
            "Accuracy by train rate and test rate",
            caption,
            rate_grid({title: as_frame(found) for title, found in panels.items()}),
            long(panels),
        ),
        Picture(
            "figure-margin",
            "The same under APGD with a margin loss (not in the article)",
            f"What a margin loss leaves of (b) and (d). {DRAWS} {caption}",
            rate_grid({title: as_frame(found) for title, found in checked.items()}),
            long(checked),
        ),
    ]
    return [*pictures, Claims(judged)]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-figure4",
        FLIPOVER,
        "Figure 4",
        "the small CNN by train rate × test rate of dropout and flipover, clean and under FGSM",
        requests,
        draw,
        deviations=(
            "The article's grid has steps that it does not print; its best pairs are chosen on the test images, as "
            "here.",
            DRAWS,
        ),
    )
)
