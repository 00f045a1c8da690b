"""Histograms of activations, one panel a net (Ke et al. 2020, figure 4)."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from dropover.lab.pictures.palette import COLORS
from dropover.lab.pictures.style import INK, axes_of, grid_of, new_figure, plain_grid, styled

_ROUNDING = 1e-6


@styled
def activation_histograms(
    panels: Mapping[str, Tensor], *, bins: int = 60, near: float | None = None, log: bool = True
) -> Figure:
    """How activations are distributed, in panels with the same axes, with the share that is near zero.

    Args:
        panels: Activations of any shape by the panel's title. All panels share bins and axes; counts are shares of a
            panel's activations, so that panels with different numbers of images compare.
        bins: Bins between the least and greatest activation.
        near: Activations of at most that magnitude count as near zero; by default about 1 % of the largest.
        log: Whether the shares have a logarithmic axis; most activations are 0, and the rest would not be seen.
    """
    values = {title: each.detach().float().flatten() for title, each in panels.items()}
    pooled = torch.cat(list(values.values()))
    low, high = float(pooled.min()), float(pooled.max())
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    border = _one_digit(float(pooled.abs().max()) / 100) if near is None else near
    rows, columns = grid_of(len(panels), 3)
    figure = new_figure(2.4 * columns, 2.1 * rows + 0.2)
    for axes, (title, each) in zip(axes_of(figure, len(panels), 3, share=True), values.items(), strict=True):
        counts, _ = np.histogram(each.numpy(), bins=edges)
        axes.stairs(counts / max(1, each.numel()), edges, fill=True, color=COLORS[0], alpha=0.85)
        if log:
            axes.set_yscale("log")
        near_zero, zero = (float(which.double().mean()) for which in (each.abs() <= border, each == 0))
        mean = float(each.mean())
        mean = mean if abs(mean) > _ROUNDING * float(each.abs().max()) else 0.0
        axes.set_title(title, pad=22)
        # Over the panel, where no bar can be.
        said = f"{near_zero:.1%} within ±{border:g}, {zero:.1%} exactly 0\nmean {mean:.3g}"
        axes.annotate(
            said, (0.5, 1), (0, 3), "axes fraction", textcoords="offset points", ha="center", fontsize=6.5, color=INK
        )
        plain_grid(axes, "y")
    figure.supxlabel("activation", fontsize=8)
    figure.supylabel("share of activations", fontsize=8)
    return figure


def _one_digit(value: float) -> float:
    """Rounded to one significant digit, so that it can be printed as it is."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    return float(f"{value:.0e}")
