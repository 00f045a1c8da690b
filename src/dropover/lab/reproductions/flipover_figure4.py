"""Flipover, figure 4: accuracy by train rate and test rate, clean and under attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts import flipover
from dropover.lab.reproductions.parts.claims import Claim, Claims, above, beats
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table
from dropover.lab.reproductions.parts.studies import Evidence

DRAWS = (
    "Where the test rate is above 0 the net is random: each gradient is of one draw, so these figures are too high, "
    "and an attack that averages over draws (eot) leaves less."
)
CAPTION = f"Mean accuracy over seeds, in percent; train rates down, test rates across; ε = {flipover.EPS:g}."
BEST: dict[str, flipover.Pair] = {"dropout": (0.7, 0.9), "flipover": (0.3, 0.0)}
"""The article's best pair of each method."""
NO_LAYER: flipover.Pair = (0.0, 0.0)


@reproduces(
    FLIPOVER,
    "Figure 4",
    "the small CNN by train rate × test rate of dropout and flipover, clean and under FGSM",
    *flipover.CNN_GRIDS,
    deviations=(
        "The article's grid has steps that it does not print; its best pairs are chosen on the test images, as here.",
        DRAWS,
    ),
)
def draw(evidence: Evidence) -> list[Item]:
    """The article's four heat maps, and the attacked two once more under a margin loss."""
    panels: dict[str, flipover.Grid] = {}
    margins: dict[str, flipover.Grid] = {}
    lines: list[Line] = []
    claims: list[Claim] = []
    for run in evidence.runs:
        method, accuracies = run.study.arms[0].method, flipover.grids(run)
        panels[f"{method}, clean"] = accuracies.clean
        panels[f"{method}, {flipover.ATTACK.upper()}"] = accuracies.attacked
        margins[f"{method}, {flipover.CHECK.upper()} (not in the article)"] = accuracies.margin
        lines += _lines(method, accuracies)
        claims += _claims(method, accuracies, all_there=flipover.whole(run, accuracies.attacked))
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
            f"Accuracy (%) of some pairs, clean and attacked at ε = {flipover.EPS:g}",
            ("Method", "(train, test)"),
            flipover.COLUMNS,
            lines,
            notes=(
                "No layer at all; the pair that the article calls best, with and without the layer at inference; and "
                "ours, the pair that keeps most under FGSM, chosen on the test images as in the article.",
            ),
        ),
        Claims(claims),
    ]


def _illustration(name: str, title: str, caption: str, panels: Mapping[str, flipover.Grid]) -> Illustration:
    """A panel a grid: train rates down, test rates across."""
    import pandas as pd

    from dropover.lab.pictures.plots import rate_grid

    data = pd.DataFrame(
        [
            {"panel": panel, "train_rate": train, "test_rate": test, "mean": figure.mean, "spread": figure.spread}
            for panel, grid in panels.items()
            for (train, test), figure in grid.items()
        ]
    )
    grids = {
        str(panel): rows.pivot(index="train_rate", columns="test_rate", values="mean")
        for panel, rows in data.groupby("panel", sort=False)
    }
    return Illustration(name, title, caption, rate_grid(grids), data)


def _lines(method: str, accuracies: flipover.Accuracies[flipover.Grid]) -> Iterator[Line]:
    """A row for each pair that is spoken of and there."""
    attacked, claimed = accuracies.attacked, BEST[method]
    for pair in dict.fromkeys([NO_LAYER, (claimed[0], 0.0), claimed, flipover.best(attacked)] if attacked else []):
        if pair in attacked:
            cells = tuple(map(Cell, flipover.of_pair(accuracies, pair)))
            yield Line((method.capitalize(), flipover.pair_text(pair)), cells)


def _claims(method: str, accuracies: flipover.Accuracies[flipover.Grid], *, all_there: bool) -> Iterator[Claim]:
    """That the article's pair is the best; and what it gains and costs beside no layer at all."""
    claimed, attacked = BEST[method], accuracies.attacked
    others = {pair: figure for pair, figure in attacked.items() if pair != claimed}
    text = flipover.pair_text(claimed)
    yield above(
        f"{text} is the best (train, test) pair of {method} under attack",
        [attacked.get(claimed)],
        [others[flipover.best(others)] if all_there else None],
    )
    yield beats(f"{method} at {text} keeps more under attack than no layer", attacked, [claimed], [NO_LAYER])
    if method == "dropout":
        cost = f"{method} at {text} has a lower clean accuracy than no layer"
        yield beats(cost, accuracies.clean, [NO_LAYER], [claimed])
