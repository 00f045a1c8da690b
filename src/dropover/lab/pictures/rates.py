"""Accuracy for every pair of train rate and test rate (Liang et al. 2024, figure 4)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dropover.lab.pictures.style import SEQUENTIAL, axes_of, grid_of, letters, new_figure, styled


@styled
def rate_grid(panels: Mapping[str, pd.DataFrame], label: str = "accuracy") -> Figure:
    """Heat maps with the figure in every cell, in panels with one colour scale from 0 to 100 %.

    Args:
        panels: By the panel's title a table of values in [0, 1]: train rates are its index, test rates its columns.
            NaN cells stay empty.
        label: What the values are.
    """
    most = max(max(table.shape) for table in panels.values())
    side = max(1.9, 0.29 * most) + 0.55
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(side * columns + 0.6, (side + 0.1) * rows)
    made = axes_of(figure, len(panels), 2)
    image = None
    for axes, letter, (title, table) in zip(made, letters(), panels.items()):  # noqa: B905 - letters don't end
        values = table.to_numpy(dtype=float)
        image = axes.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1, origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                # White on dark, dark on light.
                axes.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                    color="white" if value < 0.55 else "black",
                )  # fmt: skip
        axes.set_xticks(range(len(table.columns)), [f"{rate:g}" for rate in table.columns])
        axes.set_yticks(range(len(table.index)), [f"{rate:g}" for rate in table.index])
        axes.set_xlabel("test rate")
        axes.set_ylabel("train rate")
        axes.set_title(f"{letter} {title}")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    if image is not None:
        bar = figure.colorbar(image, ax=made, shrink=0.6, aspect=30, ticks=[0, 0.25, 0.5, 0.75, 1], label=f"{label}, %")
        bar.ax.set_yticklabels(["0", "25", "50", "75", "100"])
        bar.outline.set_visible(False)
    return figure
