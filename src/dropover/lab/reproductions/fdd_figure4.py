"""FDD, figure 4: histograms of the activations before the last linear layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Line, Table, cells, with_spread
from dropover.lab.reproductions.parts.studies import Evidence, Request, figure_of

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

PANELS = {"none": "(a) non-dropout", "dropout": "(b) random dropout", "fdd1d": "(c) FDD-1D"}
NEAR = 0.01
"""Activations of at most that share of the largest of all panels are near zero."""
BINS = 60
MORE_ZEROS = "FDD makes more activations zero or close to it than random dropout"
LESS = "FDD dampens all other activations: their mean is smaller than with random dropout"


@reproduces(
    FDD,
    "Figure 4",
    "histograms of the last layer's input after training without dropout, with dropout, with FDD-1D",
    Request("fdd", None, tuple(PANELS)),
    deviations=("The paper does not say which FDD its histogram is of: FDD-1D, which sits on these activations.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """A histogram an arm, for the first seed; the shares near zero for all."""
    from dropover.lab.examples import pixels
    from dropover.lab.pictures.plots import activation_histograms
    from dropover.lab.probing.capturing import capture

    run = evidence.runs[0]
    images = pixels(run.data.test_images[:1000])
    activations: dict[str, dict[int, Tensor]] = {arm: {} for arm in PANELS if run.seeds_of(arm)}
    for arm, seed in run.trials:
        net = run.net(arm, seed)
        activations[arm][seed] = capture(net, {"fc": net.get_submodule("fc")}, images)["fc"].entered
    first_seed = run.trials[0][1]
    panels = {PANELS[arm]: of_arm[first_seed] for arm, of_arm in activations.items() if first_seed in of_arm}
    top = max(float(values.max()) for values in panels.values())
    near = float(f"{NEAR * top:.0e}")
    near_zero, others = {}, {}
    for arm, of_arm in activations.items():
        shares = [float((values <= near).double().mean()) for values in of_arm.values()]
        means = [float(values[values > near].double().mean()) for values in of_arm.values()]
        near_zero[arm] = figure_of(fdd.NAMES[arm], "near zero", shares, list(of_arm))
        others[arm] = figure_of(fdd.NAMES[arm], "the others' mean", means, list(of_arm))
    means_text = {arm: with_spread(figure.mean, figure.spread, 3) for arm, figure in others.items()}
    return [
        Illustration(
            "figure",
            "Histogram of the activations before the last layer",
            "Activations of the test images in evaluation mode, after training with each method; first finished seed.",
            activation_histograms(panels, near=near),
            _histograms(panels, top or 1.0),
        ),
        Table(
            "activations",
            f"Share (%) of activations of at most {near:g}, and the mean of all others; "
            "± standard deviation over seeds",
            ("Trained with",),
            ("near zero", "mean of the others"),
            [
                Line((fdd.NAMES[arm],), (cell, Cell(text=means_text.get(arm, ""))))
                for arm, cell in zip(PANELS, cells(tuple(PANELS), near_zero, {}), strict=True)
            ],
        ),
        Claims([beats(MORE_ZEROS, near_zero, ["fdd1d"], ["dropout"]), beats(LESS, others, ["dropout"], ["fdd1d"], 1)]),
    ]


def _histograms(panels: Mapping[str, Tensor], top: float) -> pd.DataFrame:
    """Lower edges of equal bins from 0, and the share of each, panel by panel."""
    import pandas as pd
    import torch

    return pd.DataFrame(
        [
            {"arm": panel, "activation": i * top / BINS, "share": count / values.numel()}
            for panel, values in panels.items()
            for i, count in enumerate(torch.histc(values.float(), BINS, 0.0, top).tolist())
        ]
    )
