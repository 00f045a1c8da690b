"""Flipover, table 2: accuracy under noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

CNN_ARMS = (
    "none",
    *(f"dropout {p}" for p in (0.1, 0.3, 0.5, 0.7, 0.9)),
    *(f"flipover {p}" for p in (0.1, 0.2, 0.3, 0.4)),
)
RESNET_ARMS = ("none", *(f"dropout {p}" for p in (0.1, 0.3, 0.5)), *(f"flipover {p}" for p in (0.1, 0.2, 0.3)))


def requests(scale: Scale) -> Sequence[Request]:
    """Both networks under their noises."""
    from dropover.lab.reproductions.parts.request import Request

    return [
        Request("flipover-cnn", None, CNN_ARMS, noise=True),
        Request("flipover-resnet", None, RESNET_ARMS, noise=True),
    ]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Methods and rates down, networks and noises across."""
    from dropover.lab.reproductions.parts.cells import cells, lines, says, set_name, words
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Table

    columns, titles, judged, told = [], [], [], []
    for ran in outcome.ran:
        where = f"{ran.study.model.name}, {set_name(ran.study.data.name)}"
        noises = [(name, level) for name, levels in ran.study.evaluation.noise.items() for level in levels]
        for name, level in [("clean", None), *noises]:
            found = ran.figures(name, level)
            columns.append(cells(CNN_ARMS, found, {}))
            titles.append(f"{where}: {name}" + ("" if level is None else f" {level:g}"))
            if level is not None:
                own, rivals = [found.get("flipover 0.2")], [found.get(arm) for arm in ("none", "dropout 0.5")]
                judged.append(above(f"Flipover beats no regularisation and dropout ({titles[-1]})", own, rivals))
                told += [f"{name} {level:g}: {line}" for line in says(ran, found)]
    table = Table(
        "table",
        "Accuracy (%) on noisy test images",
        ("Method", "Rate"),
        tuple(titles),
        lines([words(arm) for arm in CNN_ARMS], columns),
        notes=("Bold: the best of a column. The article's own figures are not in the text at hand.",),
        says=tuple(told),
    )
    return [table, Claims(judged)]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-table2",
        FLIPOVER,
        "Table 2",
        "accuracy of both networks under Gaussian, Poisson and salt-and-pepper noise",
        requests,
        draw,
        deviations=(
            "The article prints no rates beside its claim on noise: judged by flipover 0.2 against no regularisation "
            "and dropout 0.5, the two that it compares elsewhere.",
            "The article does not say whether noisy pixels are clipped to [0, 1]: here they are.",
        ),
    )
)
