"""FDD, figure 2: one image's maps grouped by density, and what the strongest of each group look at."""

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
    """One plain net."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("fdd-toy")]


def draw(outcome: Outcome) -> Sequence[Item]:
    """The density grid, and heat maps over the image, three of each group."""
    from dropover.lab.pictures.images import inverted_maps
    from dropover.lab.reproductions.parts.heat_maps import inverted_images, map_data
    from dropover.lab.reproductions.parts.items import Picture

    inverted = next(iter(inverted_images(outcome.ran[0], 1)))
    return [
        Picture(
            "figure",
            "Feature maps by density, inverted to the input",
            "Left: the maps of one test image on their two principal axes, over the grid whose cells give the density. "
            "Right: the three strongest maps of each group, led back to the pixels by deconvolution.",
            inverted_maps(inverted),
            map_data(inverted),
        )
    ]


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure2",
        FDD,
        "Figure 2",
        "the maps of one image grouped by density, and what each group's strongest look at",
        requests,
        draw,
        deviations=(
            "The net is small-cnn (four convolutions), not the paper's unnamed 5-layer CNN; the image and the borders "
            "of the density groups are ours, as the paper gives none.",
        ),
    )
)
