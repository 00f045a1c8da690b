"""Flipover, table 4: a small vision transformer with flipover in several places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ATTACK, CHECK = "fgsm", "apgd-dlr"
ARMS = {
    "none": "No regularisation",
    "dropout": "Dropout",
    "flipover for dropout": "Flipover in place of every dropout",
    "flipover after MLP": "Flipover after the MLP",
    "flipover on attention": "Flipover on attention weights",
    "flipover on embeddings": "Flipover on the embeddings",
}


def requests(scale: Scale) -> Sequence[Request]:
    """All places, clean and attacked."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("flipover-vit", None, tuple(ARMS), (ATTACK, CHECK))]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Places down; clean and attacked accuracy across."""
    from dropover.lab.reproductions.parts.cells import cells, lines, says, set_name
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Table

    ran = outcome.ran[0]
    levels = [(attack.label, eps) for attack in ran.study.evaluation.attacks for eps in attack.eps]
    measures: list[tuple[str, float | None]] = [("clean", None), *levels]
    own = {level: ran.figures(*level) for level in measures}
    table = Table(
        "table",
        f"Accuracy (%) of vit-small on {set_name(ran.study.data.name)}, clean and under attack",
        ("Method",),
        tuple("Clean" if eps is None else f"{name.upper()} {eps:g}" for name, eps in measures),
        lines([(words,) for words in ARMS.values()], [cells(tuple(ARMS), found, {}) for found in own.values()]),
        notes=(
            f"Bold: the best of a column. The article's ε is 0.25; smaller ones, and {CHECK.upper()}, are ours. Its "
            "own figures are not in the text at hand.",
        ),
        says=tuple(f"{name}: {line}" for (name, _), found in own.items() for line in says(ran, found)),
    )
    attacked = own[ATTACK, 0.25]
    judged = [
        above(
            f"{words} keeps more under FGSM at ε = 0.25 than no regularisation",
            [attacked.get(arm)],
            [attacked.get("none")],
        )
        for arm, words in list(ARMS.items())[2:]
    ]
    return [table, Claims(judged)]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-table4",
        FLIPOVER,
        "Table 4",
        "a small vision transformer without regularisation, with dropout, and with flipover in four places",
        requests,
        draw,
        deviations=("Rates and amplitude are not in the text at hand: 0.1 and 0.5 here, on raw weights and features.",),
    )
)
