"""Flipover, figure 4: accuracy by train rate and test rate, clean and under attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.grid import Grid
    from dropover.lab.reproductions.parts.items import Claim, Item, Line
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

DRAWS = (
    "Where the test rate is above 0 the net is random: each gradient is of one draw, so these figures are too high, "
    "and an attack that averages over draws (eot) leaves less."
)
ATTACK, CHECK, EPS = "fgsm", "apgd-dlr", 0.25
MEASURES = ("clean", f"{ATTACK} {EPS:g}", f"{CHECK} {EPS:g}")
Pair = tuple[float, float]
BEST: dict[str, Pair] = {"dropout": (0.7, 0.9), "flipover": (0.3, 0.0)}
"""The article's best pair of each method."""
NO_LAYER: Pair = (0.0, 0.0)


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
    from dropover.lab.pictures.plots import rate_grid
    from dropover.lab.reproductions.parts.grid import as_frame, grid, long, whole
    from dropover.lab.reproductions.parts.items import Claims, Picture, Table

    panels, checked = {}, {}
    judged: list[Claim] = []
    lines: list[Line] = []
    for ran in outcome.ran:
        method = ran.study.arms[0].method
        claimed = BEST[method]
        clean, attacked, margin = (grid(ran, measure) for measure in MEASURES)
        panels[f"{method}, clean"] = clean
        panels[f"{method}, FGSM"] = attacked
        checked[f"{method}, {CHECK.upper()} (not in the article)"] = margin
        lines += _lines(method, claimed, (clean, attacked, margin))
        judged += _judged(method, claimed, clean, attacked, all_there=whole(ran, attacked))
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
    table = Table(
        "pairs",
        f"Accuracy (%) of some pairs, clean and attacked at ε = {EPS:g}",
        ("Method", "(train, test)"),
        ("Clean", ATTACK.upper(), f"{CHECK.upper()} (ours)"),
        tuple(lines),
        notes=(
            "No layer at all; the pair that the article calls best, with and without the layer at inference; and ours, "
            "the pair that keeps most under FGSM, chosen on the test images as in the article.",
        ),
    )
    return [*pictures, table, Claims(judged)]


def _lines(method: str, claimed: Pair, grids: tuple[Grid, Grid, Grid]) -> Iterator[Line]:
    """A row for each pair that is spoken of and there."""
    from dropover.lab.reproductions.parts.grid import best, pair_text
    from dropover.lab.reproductions.parts.items import Cell, Line

    attacked = grids[1]
    for pair in dict.fromkeys([NO_LAYER, (claimed[0], 0.0), claimed, best(attacked)] if attacked else []):
        if pair in attacked:
            yield Line((method.capitalize(), pair_text(pair)), tuple(Cell(found.get(pair)) for found in grids))


def _judged(method: str, claimed: Pair, clean: Grid, attacked: Grid, *, all_there: bool) -> Iterator[Claim]:
    """That the article's pair is the best; and what it gains and costs beside no layer at all."""
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.grid import best, pair_text

    others = {pair: figure for pair, figure in attacked.items() if pair != claimed}
    words = f"{method} at {pair_text(claimed)}"
    yield above(
        f"{pair_text(claimed)} is the best (train, test) pair of {method} under attack",
        [attacked.get(claimed)],
        [others[best(others)] if all_there else None],
    )
    yield above(f"{words} keeps more under attack than no layer", [attacked.get(claimed)], [attacked.get(NO_LAYER)])
    if method == "dropout":
        yield above(f"{words} has a lower clean accuracy than no layer", [clean.get(NO_LAYER)], [clean.get(claimed)])


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
