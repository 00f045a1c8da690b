"""Pictures of images: noisy, adversarial, and with what maps look at laid over them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dropover.lab.pictures.palette import COLORS
from dropover.lab.pictures.scatter import draw_borders, edges_of
from dropover.lab.pictures.style import FAINT, HEAT, new_figure, styled
from dropover.lab.probing.grouping import GROUPS, Inverted

GROUP_COLORS = dict(zip(GROUPS, (COLORS[1], COLORS[2], COLORS[0]), strict=True))
_STRONGEST = 3


@styled
def noisy_images(rows: Mapping[str, Tensor]) -> Figure:
    """The same images under several noises, one row each.

    Args:
        rows: By the row's title ("clean", "Gaussian, std 0.1") its images (N, channels, height, width) in [0, 1].

    Source: Liang et al. 2024, figure 3.
    """
    count = max(len(images) for images in rows.values())
    figure = new_figure(1.0 + 0.82 * count, 0.84 * len(rows))
    cells = figure.subplots(len(rows), count, squeeze=False)
    for row, (title, images) in zip(cells, rows.items(), strict=True):
        for axes, image in zip(row, images, strict=False):
            _picture(axes, image)
        for axes in row[len(images) :]:
            axes.set_axis_off()
        _label(row[0], title)
    return figure


@styled
def adversarial_images(images: Tensor, adversarial: Tensor, before: Sequence[str], after: Sequence[str]) -> Figure:
    """Images, what an attack made of them, and the difference enlarged; a column each, with the predictions.

    The difference is drawn around grey, enlarged by the largest round factor that cuts nothing off, at least 1.

    Args:
        images: (N, channels, height, width), in [0, 1].
        adversarial: The same after the attack.
        before: The prediction for each image.
        after: The prediction for each adversarial image.
    """
    difference = (adversarial - images).detach()
    largest = float(difference.abs().max())
    factor = max(1.0, float(math.floor(0.5 / largest + 1e-4))) if largest > 0 else 1.0
    count = len(images)
    figure = new_figure(1.0 + 0.9 * count, 3.05)
    cells = figure.subplots(3, count, squeeze=False)
    rows = {"image": images, "adversarial": adversarial, f"difference\n× {factor:g}": 0.5 + factor * difference}
    for column in range(count):
        for row, each in enumerate(rows.values()):
            _picture(cells[row, column], each[column])
        cells[0, column].set_title(before[column], fontsize=7, pad=2)
        cells[1, column].set_title(f"→ {after[column]}", fontsize=7, pad=2)
    for row, title in enumerate(rows):
        _label(cells[row, 0], title)
    return figure


@styled
def inverted_maps(inverted: Inverted) -> Figure:
    """The density grid with maps coloured by group, and what the three strongest maps of each group look at.

    Source: Ke et al. 2020, figure 2.
    """
    widths = [2.9, 0.98 * (_STRONGEST + 1)]
    figure = new_figure(sum(widths), 3.2)
    left, right = figure.subfigures(1, 2, width_ratios=widths)  # type: ignore[misc]  # matplotlib's stub has one
    _density_grid(left.subplots(), inverted)
    cells = right.subplots(3, _STRONGEST + 1, squeeze=False)
    for (head, *row), name in zip(cells, reversed(GROUPS), strict=True):
        if name == GROUPS[-1]:
            _picture(head, inverted.image)
            head.set_title("input")
        else:
            head.set_axis_off()
        members = inverted.members(name).tolist()
        for axes, unit in zip(row, members, strict=False):
            _overlay(axes, inverted.image, inverted.heat[unit])
            axes.set_title(f"map {unit}", fontsize=7, pad=2)
            axes.spines[:].set(visible=True, color=GROUP_COLORS[name], linewidth=1.6)
        for axes in row[len(members) :]:
            axes.set_axis_off()
        if not members:
            _no_map(row[0])
        row[0].set_ylabel(f"{name}\ndensity", color=GROUP_COLORS[name], fontsize=8)
    return figure


@styled
def averaged_maps(inverted: Inverted) -> Figure:
    """The mean heat map of each density group and of all maps, and the mean entropy of the group's heat maps.

    All are drawn on one scale.

    Source: Ke et al. 2020, figure 3.
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
            _no_map(axes)
        bits = "" if math.isnan(entropy) else f"\nentropy {entropy:.2f} bits"
        axes.text(
            0.5, -0.05, f"{count} map{'' if count == 1 else 's'}{bits}",
            ha="center", va="top", transform=axes.transAxes, fontsize=7,
        )  # fmt: skip
    return figure


def _picture(axes: Axes, image: Tensor) -> None:
    """An image (channels, height, width) with pixels in [0, 1], grey where it has one channel, without ticks."""
    _bare(axes)
    pixels = image.detach().float().clamp(0, 1).numpy()
    if len(pixels) == 1:
        axes.imshow(pixels[0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(np.moveaxis(pixels[:3], 0, -1))


def _overlay(axes: Axes, image: Tensor, heat: Tensor) -> None:
    """An image in grey with a heat map over it, the clearer the hotter."""
    _bare(axes)
    grey = image.float().mean(dim=0).numpy()
    axes.imshow(0.3 + 0.5 * grey, cmap="gray", vmin=0, vmax=1)
    axes.imshow(heat.numpy(), cmap="autumn", vmin=0, vmax=1, alpha=np.clip(1.5 * heat.numpy(), 0, 0.95))


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _label(axes: Axes, title: str) -> None:
    """What a row shows, at its left."""
    axes.set_ylabel(title, rotation=0, ha="right", va="center", labelpad=4)


def _no_map(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no map", ha="center", va="center", transform=axes.transAxes, color=FAINT)


def _density_grid(axes: Any, inverted: Inverted) -> None:
    """The maps on their principal axes, filled where they respond."""
    points = inverted.projection.points.numpy()
    draw_borders(axes, edges_of(points, inverted.projection.bins), zorder=0)
    silent = (inverted.heat.amax(dim=(1, 2)) == 0).numpy()
    for index, name in enumerate(GROUPS):
        members = (inverted.group == index).numpy()
        for chosen, filled in ((members & ~silent, True), (members & silent, False)):
            axes.scatter(
                *points[chosen].T, s=18, marker="o", linewidths=0.8,
                facecolors=GROUP_COLORS[name] if filled else "none", edgecolors=GROUP_COLORS[name],
                label=f"{name}: {int(members.sum())}" if filled else None,
            )  # fmt: skip
    if silent.any():
        axes.scatter([], [], s=18, facecolors="none", edgecolors=FAINT, label=f"no response: {int(silent.sum())}")
    axes.set_title("maps on two principal axes, by density")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, handletextpad=0.1, columnspacing=1)
    _bare(axes)
    axes.margins(0.04)
