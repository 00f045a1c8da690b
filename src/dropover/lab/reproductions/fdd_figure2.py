"""FDD, figure 2: one image's maps grouped by density, and what the strongest of each group look at."""

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts.items import Illustration, Item
from dropover.lab.reproductions.parts.studies import Evidence, Request


@reproduces(
    FDD,
    "Figure 2",
    "the maps of one image grouped by density, and what each group's strongest look at",
    Request("fdd-toy"),
    deviations=(
        "The net is small-cnn (four convolutions), not the paper's unnamed 5-layer CNN; the image and the borders "
        "of the density groups are ours, as the paper gives none.",
    ),
)
def draw(evidence: Evidence) -> list[Item]:
    """The density grid, and heat maps over the image, three of each group."""
    from dropover.lab.pictures.images import inverted_maps
    from dropover.lab.reproductions.parts.heat_maps import inverted_images, map_data

    inverted = next(iter(inverted_images(evidence.runs[0], 1)))
    return [
        Illustration(
            "figure",
            "Feature maps by density, inverted to the input",
            "Left: the maps of one test image on their two principal axes, over the grid whose cells give the density. "
            "Right: the three strongest maps of each group, led back to the pixels by deconvolution.",
            inverted_maps(inverted),
            map_data(inverted),
        )
    ]
