"""FDD, figure 3: heat maps averaged over each density group, and their entropy."""

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claims, above
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table, with_spread
from dropover.lab.reproductions.parts.studies import Evidence, Request, figure_of

IMAGES = 50
"""How many test images the entropies are taken over."""
CLAIM = "Heat maps of high density have more entropy than those of low density (the semantic variation is larger)"


@reproduces(
    FDD,
    "Figure 3",
    "heat maps averaged over low, medium and high density, and their entropies",
    Request("fdd-toy"),
    deviations=(
        "The net is small-cnn (four convolutions), not the paper's unnamed 5-layer CNN; images and the borders of "
        "the density groups are ours, as the paper gives none.",
    ),
)
def draw(evidence: Evidence) -> list[Item]:
    """The averages for one image as printed, and the entropies over many."""
    import math

    from dropover.lab.pictures.images import averaged_maps
    from dropover.lab.probing.grouping import GROUPS
    from dropover.lab.reproductions.parts.heat_maps import inverted_images, map_data

    first, entropies = None, []
    for inverted in inverted_images(evidence.runs[0], IMAGES):
        first = first or inverted
        of_groups = [inverted.entropy(name) for name in GROUPS]
        # An image that has no map with a response in some group can't be compared.
        if all(map(math.isfinite, of_groups)):
            entropies.append(of_groups)
    assert first is not None
    illustration = Illustration(
        "figure",
        "Averaged heat maps by density",
        "For one test image: the mean heat map of the maps of each density group and of all.",
        averaged_maps(first),
        map_data(first),
    )
    if not entropies:
        return [illustration]
    printed = fdd.printed_entropies()
    low, medium, high = (
        figure_of(f"{name} density", "entropy", values)
        for name, values in zip(GROUPS, zip(*entropies, strict=True), strict=True)
    )
    table = Table(
        "entropy",
        f"Mean entropy of a group's heat maps (bits), mean ± standard deviation over {len(entropies)} test images",
        ("Group",),
        ("entropy",),
        [
            Line((figure.arm,), (Cell(None, printed.get(name), with_spread(figure.mean, figure.spread, 3), digits=3),))
            for name, figure in zip(GROUPS, (low, medium, high), strict=True)
        ],
        notes=("The paper does not define its entropy: here Shannon's, of the histogram of 256 grey levels.",),
    )
    return [illustration, table, Claims([above(CLAIM, [high], [low], of="image", factor=1)])]
