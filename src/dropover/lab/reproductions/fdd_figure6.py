"""FDD, figure 6: one image's maps on their principal axes, those kept and those dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table
from dropover.lab.reproductions.parts.studies import Evidence, Request

if TYPE_CHECKING:
    from torch import Tensor

    from dropover.regularizer import Regularizer

ARMS = {"spatial": "spatial dropout", "fdd2d": "FDD-2D"}
IMAGES = 100
"""How many test images the shares of dropped maps are taken over."""


@reproduces(
    FDD,
    "Figure 6",
    "one image's maps on 2 and 3 principal axes, kept and dropped by spatial dropout and FDD-2D",
    Request("fdd", None, tuple(ARMS), scales=("smoke", "laptop")),
    Request("fdd", "cifar100", tuple(ARMS), scales=("paper",)),
    deviations=("The image is ours. The paper's net has 512 maps; the number here is in the width of the net.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """Two and three components, spatial dropout beside FDD-2D."""
    import pandas as pd

    from dropover.insertion.layers import regularizers
    from dropover.lab.examples import pixels
    from dropover.lab.pictures.scatter import projection_scatter
    from dropover.lab.probing.capturing import capture
    from dropover.lab.probing.grouping import GROUPS
    from dropover.lab.probing.projecting import project

    run = evidence.runs[0]
    images = pixels(run.data.test_images[:IMAGES])
    panels, data, lines = {}, [], []
    for arm, words in ARMS.items():
        if not run.seeds_of(arm):
            continue
        net = run.net(arm)
        layer = next(iter(regularizers(net)))
        maps = capture(net, {"layer": layer}, images)["layer"].entered
        for components in (2, 3):
            projection = panels[f"{words}, {components}-D"] = project(maps[0], layer, components)
            columns = {
                "arm": arm,
                "components": components,
                **{f"axis{i + 1}": projection.points[:, i].tolist() for i in range(components)},
                "density": projection.density.tolist(),
                "rate": projection.rates.tolist(),
                "dropped": projection.hit.tolist(),
            }
            data.append(pd.DataFrame(columns))
        lines.append(Line((words,), tuple(Cell(text=f"{100 * share:.1f}") for share in _dropped(maps, layer))))
    return [
        Illustration(
            "figure",
            "Feature maps on their principal axes, kept and dropped",
            "One test image's maps after the last convolution; a dot was kept and a cross dropped in one draw. Darker "
            "cells hold more maps.",
            projection_scatter(panels),
            pd.concat(data),
        ),
        Table(
            "dropped",
            f"Share (%) of maps dropped, by density, over {len(images)} test images",
            ("Method",),
            [f"{name} density" for name in GROUPS],
            lines,
        ),
    ]


def _dropped(maps: Tensor, layer: Regularizer) -> list[float]:
    """The share of maps that a draw for each image drops, in each density group."""
    import torch

    from dropover.lab.probing.grouping import GROUPS, density_groups
    from dropover.lab.probing.projecting import project

    draws = [project(of_image, layer, 2, seed) for seed, of_image in enumerate(maps)]
    group = torch.cat([density_groups(each.density) for each in draws])
    hit = torch.cat([each.hit for each in draws]).double()
    return [float(hit[group == index].mean()) for index in range(len(GROUPS))]
