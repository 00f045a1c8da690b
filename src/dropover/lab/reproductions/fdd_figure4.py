"""FDD, figure 4: histograms of the activations before the last linear layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from torch import Tensor

    from dropover.lab.judging.comparison import Figure
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome, Ran
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
    import pandas as pd

    from dropover.lab.examples import pixels
    from dropover.lab.pictures.histograms import activation_histograms
    from dropover.lab.probing.capturing import capture
    from dropover.lab.reproductions.parts.cells import NAMES, cells
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Cell, Claims, Line, Picture, Table

    ran = outcome.ran[0]
    images = pixels(ran.data.test_images[:1000])
    found: dict[tuple[str, int], Tensor] = {}
    for label, seed in ran.trials:
        model = ran.net(label, seed)
        found[label, seed] = capture(model, {"fc": model.get_submodule("fc")}, images)["fc"].entered
    first = {PANELS[arm]: values for (arm, seed), values in found.items() if seed == ran.trials[0][1]}
    near = float(f"{NEAR * max(float(each.max()) for each in first.values()):.0e}")
    near_zero = _over_seeds(ran, found, "near zero", lambda values: float((values <= near).double().mean()))
    others = _over_seeds(ran, found, "the others' mean", lambda values: float(values[values > near].double().mean()))
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
        "activations",
        f"Share (%) of activations of at most {near:g}, and the mean of all others; ± standard deviation over seeds",
        ("Trained with",),
        ("near zero", "mean of the others"),
        tuple(
            Line((NAMES[arm],), (cell, Cell(text=_told(others.get(arm)))))
            for arm, cell in zip(PANELS, cells(list(PANELS), near_zero, {}), strict=True)
        ),
    )

    return [
        picture,
        table,
        Claims(
            [
                above(
                    "FDD makes more activations zero or close to it than random dropout",
                    [near_zero.get("fdd1d")],
                    [near_zero.get("dropout")],
                ),
                above(
                    "FDD dampens all other activations: their mean is smaller than with random dropout",
                    [others.get("dropout")],
                    [others.get("fdd1d")],
                    factor=1,
                ),
            ]
        ),
    ]


def _over_seeds(
    ran: Ran, found: Mapping[tuple[str, int], Tensor], name: str, measure: Callable[[Tensor], float]
) -> dict[str, Figure]:
    """A measure of each net's activations, arm by arm."""
    import math

    from dropover.lab.judging import statistics as st
    from dropover.lab.judging.comparison import Figure
    from dropover.lab.reproductions.parts.cells import NAMES

    figures = {}
    for arm in PANELS:
        seeds = tuple(ran.seeds_of(arm))
        values = tuple(measure(found[arm, seed]) for seed in seeds)
        if values:
            mean = math.fsum(values) / len(values)
            figures[arm] = Figure(NAMES[arm], name, None, values, mean, st.spread(values), seeds=seeds)
    return figures


def _told(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.mean:.3f}" + ("" if figure.spread is None else f" ± {figure.spread:.3f}")


def _histogram(values: Tensor, top: float) -> tuple[list[float], list[float]]:
    """Lower edges and counts of 60 equal bins from 0."""
    import torch

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
