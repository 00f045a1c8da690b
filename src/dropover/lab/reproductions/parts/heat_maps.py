"""Test images with the maps of a net's last convolution inverted to the pixels."""

from collections.abc import Iterator

import pandas as pd

from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import pixels
from dropover.lab.models.parts.positions import Place
from dropover.lab.probing.grouping import GROUPS, Inverted, inverted_groups
from dropover.lab.probing.inverting import entropy
from dropover.lab.reproductions.parts.studies import Run


def inverted_images(run: Run, count: int) -> Iterator[Inverted]:
    """The first test images, the classes taking turns, each with its maps at "last-conv" inverted."""
    data, net = run.data, run.net(run.study.arms[0].label)
    chosen = balanced_prefix(data.test_labels, min(count, len(data.test_labels)))
    for image in pixels(data.test_images[chosen]):
        yield inverted_groups(net, Place("last-conv", "after"), image)


def map_data(inverted: Inverted) -> pd.DataFrame:
    """A row a map: where it lies, its density and group, its response and its heat map's entropy."""
    points = inverted.projection.points
    return pd.DataFrame(
        {
            "map": range(len(points)),
            **{f"axis{i + 1}": points[:, i].tolist() for i in range(points.shape[1])},
            "density": inverted.projection.density.tolist(),
            "group": [GROUPS[int(index)] for index in inverted.group],
            "response": inverted.response.tolist(),
            "entropy": entropy(inverted.heat).tolist(),
        }
    )
