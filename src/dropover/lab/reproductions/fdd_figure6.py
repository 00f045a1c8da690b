"""FDD, figure 6: one image's maps on their principal axes, those kept and those dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ARMS = {"spatial": "spatial dropout", "fdd2d": "FDD-2D"}
IMAGES = 100
"""How many test images the shares of dropped maps are taken over."""


def requests(scale: Scale) -> Sequence[Request]:
    """Two of table 2's arms; on CIFAR-100 at the paper's own scale, as there."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("fdd", "cifar100" if scale == "paper" else None, tuple(ARMS))]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Two and three components, spatial dropout beside FDD-2D."""
    import pandas as pd
    import torch

    from dropover.insertion.layers import regularizers
    from dropover.lab.examples import pixels
    from dropover.lab.pictures.scatter import projection_scatter
    from dropover.lab.probing.capturing import capture
    from dropover.lab.probing.grouping import GROUPS, density_groups
    from dropover.lab.probing.projecting import project
    from dropover.lab.reproductions.parts.items import Cell, Line, Picture, Table

    ran = outcome.ran[0]
    images = pixels(ran.data.test_images[:IMAGES])
    panels, data, dropped = {}, [], {}
    for label, words in ARMS.items():
        if not ran.seeds_of(label):
            continue
        model = ran.net(label)
        layer = next(iter(regularizers(model)))
        maps = capture(model, {"layer": layer}, images)["layer"].entered
        for components in (2, 3):
            shown = project(maps[0], layer, components)
            panels[f"{words}, {components}-D"] = shown
            data.append(
                pd.DataFrame(
                    {
                        "arm": label,
                        "components": components,
                        **{f"axis{i + 1}": shown.points[:, i].tolist() for i in range(components)},
                        "density": shown.density.tolist(),
                        "rate": shown.rates.tolist(),
                        "dropped": shown.hit.tolist(),
                    }
                )
            )
        drawn = [project(each, layer, 2, seed) for seed, each in enumerate(maps)]
        group = torch.cat([density_groups(one.density) for one in drawn])
        hit = torch.cat([one.hit for one in drawn]).double()
        dropped[words] = [float(hit[group == index].mean()) for index in range(len(GROUPS))]
    picture = Picture(
        "figure",
        "Feature maps on their principal axes, kept and dropped",
        "One test image's maps after the last convolution; a dot was kept and a cross dropped in one draw. Darker "
        "cells hold more maps.",
        projection_scatter(panels),
        pd.concat(data),
    )
    table = Table(
        "dropped",
        f"Share (%) of maps dropped, by density, over {len(images)} test images",
        ("Method",),
        tuple(f"{name} density" for name in GROUPS),
        tuple(
            Line((words,), tuple(Cell(text=f"{100 * share:.1f}") for share in shares))
            for words, shares in dropped.items()
        ),
    )
    return [picture, table]


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure6",
        FDD,
        "Figure 6",
        "one image's maps on 2 and 3 principal axes, kept and dropped by spatial dropout and FDD-2D",
        requests,
        draw,
        deviations=("The image is ours. The paper's net has 512 maps; the number here is in the width of the net.",),
    )
)
