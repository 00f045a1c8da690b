"""FDD, figure 4: histograms of the activations before the last linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

PANELS = {"none": "(a) non-dropout", "dropout": "(b) random dropout", "fdd1d": "(c) FDD-1D"}
NEAR = 0.01
"""Activations of at most that share of the largest of all panels are near zero."""


def requests(scale: Scale) -> Sequence[Request]:
    """Three of table 2's arms."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("fdd", None, tuple(PANELS))]


def draw(outcome: Outcome) -> Sequence[Item]:
    """A histogram an arm, for the first seed; the shares near zero for all."""
    import math

    import pandas as pd
    import torch

    from dropover.lab import statistics as st
    from dropover.lab.comparison import Figure
    from dropover.lab.examples import pixels
    from dropover.lab.pictures.histograms import activation_histograms
    from dropover.lab.probing.capturing import capture
    from dropover.lab.reproductions.parts.cells import NAMES, cells
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claims, Line, Picture, Table

    ran = outcome.ran[0]
    images = pixels(ran.data.test_images[:1000])
    found: dict[tuple[str, int], torch.Tensor] = {}
    for label, seed in ran.trials:
        model = ran.net(label, seed)
        found[label, seed] = capture(model, {"fc": model.get_submodule("fc")}, images)["fc"].entered
    first = {PANELS[arm]: values for (arm, seed), values in found.items() if seed == ran.trials[0][1]}
    near = float(f"{NEAR * max(float(each.max()) for each in first.values()):.0e}")
    shares = {
        arm: tuple(float((found[arm, seed] <= near).double().mean()) for seed in ran.seeds_of(arm)) for arm in PANELS
    }
    figures = {
        arm: Figure(
            NAMES[arm],
            "near zero",
            near,
            values,
            math.fsum(values) / len(values),
            st.spread(values),
            seeds=tuple(ran.seeds_of(arm)),
        )
        for arm, values in shares.items()
        if values
    }
    histogram = [
        {"arm": panel, "activation": edge, "share": float(count) / values.numel()}
        for panel, values in first.items()
        for edge, count in zip(*_histogram(values, max(float(each.max()) for each in first.values())), strict=True)
    ]
    picture = Picture(
        "figure",
        "Histogram of the activations before the last layer",
        "Activations of the test images in evaluation mode, after training with each method; first finished seed.",
        activation_histograms(first, near=near),
        pd.DataFrame(histogram),
    )
    table = Table(
        "near-zero",
        f"Share (%) of activations of at most {near:g}, mean ± standard deviation over seeds",
        ("Trained with",),
        ("near zero",),
        tuple(Line((NAMES[arm],), (cell,)) for arm, cell in zip(PANELS, cells(list(PANELS), figures, {}), strict=True)),
    )
    claim = above(
        "FDD makes more activations zero or close to it than random dropout",
        [figures.get("fdd1d")],
        [figures.get("dropout")],
    )
    return [picture, table, Claims([claim])]


def _histogram(values: object, top: float) -> tuple[list[float], list[float]]:
    """Lower edges and counts of 60 equal bins from 0."""
    import torch

    assert isinstance(values, torch.Tensor)
    counts = torch.histc(values.float(), bins=60, min=0.0, max=top or 1.0)
    return [i * (top or 1.0) / 60 for i in range(60)], counts.tolist()


REPRODUCTIONS.add(
    Reproduction(
        "fdd-figure4",
        FDD,
        "Figure 4",
        "histograms of the last layer's input after training without dropout, with dropout, with FDD-1D",
        requests,
        draw,
        deviations=("The paper does not say which FDD its histogram is of: FDD-1D, which sits on these activations.",),
    )
)
