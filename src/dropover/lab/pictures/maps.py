"""Maps inverted to the input, by density group (Ke et al. 2020, figures 2 and 3)."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dropover.lab.pictures.palette import COLORS
from dropover.lab.pictures.scatter import edges_of
from dropover.lab.pictures.style import FAINT, HEAT, new_figure, styled
from dropover.lab.probing.grouping import GROUPS, Inverted

GROUP_COLORS = dict(zip(GROUPS, (COLORS[1], COLORS[2], COLORS[0]), strict=True))


@styled
def inverted_maps(inverted: Inverted, top: int = 3) -> Figure:
    """The density grid with maps coloured by group, and what the strongest maps of each group look at.

    Args:
        inverted: One image's maps, grouped and inverted.
        top: How many maps of each group, those of the largest responses.
    """
    figure = new_figure(2.9 + 0.98 * (top + 1), 3.2)
    widths = [2.9, 0.98 * (top + 1)]
    left, right = figure.subfigures(1, 2, width_ratios=widths)  # type: ignore[misc]  # matplotlib's stub has one
    _density_grid(left.subplots(), inverted)
    cells = right.subplots(3, top + 1, squeeze=False)
    for row, name in enumerate(reversed(GROUPS)):
        members = inverted.members(name)
        if row == 0:
            picture(cells[row, 0], inverted.image)
            cells[row, 0].set_title("input")
        else:
            cells[row, 0].set_axis_off()
        for column in range(top):
            axes = cells[row, column + 1]
            if column < len(members):
                unit = int(members[column])
                overlay(axes, inverted.image, inverted.heat[unit])
                axes.set_title(f"map {unit}", fontsize=7, pad=2)
                for spine in axes.spines.values():
                    spine.set(visible=True, color=GROUP_COLORS[name], linewidth=1.6)
            else:
                axes.set_axis_off()
                if column == 0:
                    axes.text(0.5, 0.5, "no map", ha="center", va="center", transform=axes.transAxes, color=FAINT)
        cells[row, 1].set_ylabel(f"{name}\ndensity", color=GROUP_COLORS[name], fontsize=8)
    return figure


@styled
def averaged_maps(inverted: Inverted) -> Figure:
    """The mean heat map of each density group and of all maps, and the mean entropy of the group's heat maps.

    All are drawn on one scale.
    """
    figure = new_figure(5.6, 1.95)
    names = (*GROUPS, "all")
    hottest = max(float(inverted.average(name).max()) for name in names) or 1.0
    for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
        count, entropy = len(inverted.members(name)), inverted.entropy(name)
        axes.set_title(f"{name} density" if name != "all" else "all maps")
        if count:
            _bare(axes)
            axes.imshow(inverted.average(name).numpy(), cmap=HEAT, vmin=0, vmax=hottest)
        else:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no map", ha="center", va="center", transform=axes.transAxes, color=FAINT)
        bits = "" if math.isnan(entropy) else f"\nentropy {entropy:.2f} bits"
        axes.text(
            0.5, -0.05, f"{count} map{'' if count == 1 else 's'}{bits}",
            ha="center", va="top", transform=axes.transAxes, fontsize=7,
        )  # fmt: skip
    return figure


def overlay(axes: Axes, image: Tensor, heat: Tensor) -> None:
    """An image in grey with a heat map over it, the clearer the hotter."""
    _bare(axes)
    grey = image.float().mean(dim=0).numpy()
    axes.imshow(0.3 + 0.5 * grey, cmap="gray", vmin=0, vmax=1)
    axes.imshow(heat.numpy(), cmap="autumn", vmin=0, vmax=1, alpha=np.clip(1.5 * heat.numpy(), 0, 0.95))


def picture(axes: Axes, image: Tensor) -> None:
    """An image (channels, height, width) with pixels in [0, 1], grey where it has one channel, without ticks."""
    _bare(axes)
    shown = image.detach().float().clamp(0, 1).numpy()
    if len(shown) == 1:
        axes.imshow(shown[0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(np.moveaxis(shown[:3], 0, -1))


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _density_grid(axes: Any, inverted: Inverted) -> None:
    points = inverted.projection.points.numpy()
    for along, edges in zip(("x", "y"), edges_of(points, inverted.projection.bins), strict=True):
        for line in edges:
            (axes.axvline if along == "x" else axes.axhline)(line, color="#dddddd", linewidth=0.6, zorder=0)
    silent = (inverted.heat.amax(dim=(1, 2)) == 0).numpy()
    for index, name in enumerate(GROUPS):
        chosen = (inverted.group == index).numpy()
        for shown, filled in ((chosen & ~silent, True), (chosen & silent, False)):
            axes.scatter(
                *points[shown].T, s=18, marker="o", linewidths=0.8,
                facecolors=GROUP_COLORS[name] if filled else "none", edgecolors=GROUP_COLORS[name],
                label=f"{name}: {int(chosen.sum())}" if filled else None,
            )  # fmt: skip
    if silent.any():
        axes.scatter([], [], s=18, facecolors="none", edgecolors=FAINT, label=f"no response: {int(silent.sum())}")
    axes.set_title("maps on two principal axes, by density")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, handletextpad=0.1, columnspacing=1)
    _bare(axes)
    axes.margins(0.04)
