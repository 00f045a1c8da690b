"""FDD, figure 3: heat maps averaged over each density group, and their entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

IMAGES = 50
"""How many test images the entropies are taken over."""


def requests(scale: Scale) -> Sequence[Request]:
    """One plain net, the same as figure 2's."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("fdd-toy")]


def draw(outcome: Outcome) -> Sequence[Item]:
    """The averages for one image as printed, and the entropies over many."""
    import math

    from dropover.lab.judging import statistics as st
    from dropover.lab.judging.comparison import Figure
    from dropover.lab.pictures.images import averaged_maps
    from dropover.lab.probing.grouping import GROUPS
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.heat_maps import inverted_images, map_data
    from dropover.lab.reproductions.parts.items import Cell, Claims, Line, Picture, Table
    from dropover.lab.reproductions.parts.printed import Printed, fdd_entropies

    first, entropies = None, []
    for inverted in inverted_images(outcome.ran[0], IMAGES):
        first = first or inverted
        found = [inverted.entropy(name) for name in GROUPS]
        # An image that has no map with a response in some group can't be compared.
        entropies += [found] if all(map(math.isfinite, found)) else []
    assert first is not None
    picture = Picture(
        "figure",
        "Averaged heat maps by density",
        "For one test image: the mean heat map of the maps of each density group and of all.",
        averaged_maps(first),
        map_data(first),
    )
    if not entropies:
        return [picture]
    printed = fdd_entropies()
    figures = [
        Figure(f"{name} density", "entropy", None, tuple(values), math.fsum(values) / len(values), st.spread(values))
        for name, values in zip(GROUPS, map(list, zip(*entropies, strict=True)), strict=True)
    ]
    cells = [
        Cell(
            text=f"{figure.mean:.3f}" + (f" ± {figure.spread:.3f}" if figure.spread is not None else ""),
            printed=Printed(printed[name]) if name in printed else None,
            digits=3,
        )
        for name, figure in zip(GROUPS, figures, strict=True)
    ]
    table = Table(
        "entropy",
        f"Mean entropy of a group's heat maps (bits), mean ± standard deviation over {len(entropies)} test images",
        ("Group",),
        ("entropy",),
        tuple(Line((figure.arm,), (cell,)) for figure, cell in zip(figures, cells, strict=True)),
        notes=("The paper does not define its entropy: here Shannon's, of the histogram of 256 grey levels.",),
    )
    claim = above(
        "Heat maps of high density have more entropy than those of low density (the semantic variation is larger)",
        figures[2:],
        figures[:1],
        of="image",
        factor=1,
    )
    return [picture, table, Claims([claim])]


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure3",
        FDD,
        "Figure 3",
        "heat maps averaged over low, medium and high density, and their entropies",
        requests,
        draw,
        deviations=(
            "The net is small-cnn (four convolutions), not the paper's unnamed 5-layer CNN; images and the borders of "
            "the density groups are ours, as the paper gives none.",
        ),
    )
)
