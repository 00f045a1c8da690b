"""Flipover, figure 4: accuracy by train rate and test rate, clean and under attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction
from dropover.lab.reproductions.parts.claims import Claim, Claims, above, beats
from dropover.lab.reproductions.parts.evidence import Evidence
from dropover.lab.reproductions.parts.flipover import (
    ATTACK,
    CHECK,
    CNN_GRIDS,
    COLUMNS,
    EPS,
    Accuracies,
    Pair,
    as_frame,
    as_rows,
    best,
    grids,
    of_pair,
    pair_text,
    whole,
)
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.flipover import Grid

DRAWS = (
    "Where the test rate is above 0 the net is random: each gradient is of one draw, so these figures are too high, "
    "and an attack that averages over draws (eot) leaves less."
)
CAPTION = f"Mean accuracy over seeds, in percent; train rates down, test rates across; ε = {EPS:g}."
BEST: dict[str, Pair] = {"dropout": (0.7, 0.9), "flipover": (0.3, 0.0)}
"""The article's best pair of each method."""
NO_LAYER: Pair = (0.0, 0.0)


def draw(evidence: Evidence) -> list[Item]:
    """The article's four heat maps, and the attacked two once more under a margin loss."""
    panels: dict[str, Grid] = {}
    margins: dict[str, Grid] = {}
    lines: list[Line] = []
    claims: list[Claim] = []
    for run in evidence.runs:
        method, accuracies = run.study.arms[0].method, grids(run)
        panels[f"{method}, clean"] = accuracies.clean
        panels[f"{method}, {ATTACK.upper()}"] = accuracies.attacked
        margins[f"{method}, {CHECK.upper()} (not in the article)"] = accuracies.margin
        lines += _lines(method, accuracies)
        claims += _claims(method, accuracies, all_there=whole(run, accuracies.attacked))
    return [
        _illustration("figure", "Accuracy by train rate and test rate", CAPTION, panels),
        _illustration(
            "figure-margin",
            "The same under APGD with a margin loss (not in the article)",
            f"What a margin loss leaves of (b) and (d). {DRAWS} {CAPTION}",
            margins,
        ),
        Table(
            "pairs",
            f"Accuracy (%) of some pairs, clean and attacked at ε = {EPS:g}",
            ("Method", "(train, test)"),
            COLUMNS,
            lines,
            notes=(
                "No layer at all; the pair that the article calls best, with and without the layer at inference; and "
                "ours, the pair that keeps most under FGSM, chosen on the test images as in the article.",
            ),
        ),
        Claims(claims),
    ]


def _illustration(name: str, title: str, caption: str, panels: Mapping[str, Grid]) -> Illustration:
    from dropover.lab.pictures.plots import rate_grid

    drawing = rate_grid({panel: as_frame(grid) for panel, grid in panels.items()})
    return Illustration(name, title, caption, drawing, as_rows(panels))


def _lines(method: str, accuracies: Accuracies[Grid]) -> Iterator[Line]:
    """A row for each pair that is spoken of and there."""
    attacked, claimed = accuracies.attacked, BEST[method]
    for pair in dict.fromkeys([NO_LAYER, (claimed[0], 0.0), claimed, best(attacked)] if attacked else []):
        if pair in attacked:
            yield Line((method.capitalize(), pair_text(pair)), tuple(map(Cell, of_pair(accuracies, pair))))


def _claims(method: str, accuracies: Accuracies[Grid], *, all_there: bool) -> Iterator[Claim]:
    """That the article's pair is the best; and what it gains and costs beside no layer at all."""
    claimed, attacked = BEST[method], accuracies.attacked
    others = {pair: figure for pair, figure in attacked.items() if pair != claimed}
    text = pair_text(claimed)
    yield above(
        f"{text} is the best (train, test) pair of {method} under attack",
        [attacked.get(claimed)],
        [others[best(others)] if all_there else None],
    )
    yield beats(f"{method} at {text} keeps more under attack than no layer", attacked, [claimed], [NO_LAYER])
    if method == "dropout":
        cost = f"{method} at {text} has a lower clean accuracy than no layer"
        yield beats(cost, accuracies.clean, [NO_LAYER], [claimed])


REPRODUCTIONS.add(
    Reproduction(
        "flipover-figure4",
        FLIPOVER,
        "Figure 4",
        "the small CNN by train rate × test rate of dropout and flipover, clean and under FGSM",
        CNN_GRIDS,
        draw,
        deviations=(
            "The article's grid has steps that it does not print; its best pairs are chosen on the test images, as "
            "here.",
            DRAWS,
        ),
    )
)
