"""Maps on their principal axes, kept and hit ones marked (Ke et al. 2020, figure 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dropover.lab.pictures.palette import COLORS
from dropover.lab.pictures.style import FAINT, grid_of, new_figure, styled
from dropover.lab.probing.projecting import Projection

KEPT_COLOR, HIT_COLOR = COLORS[0], COLORS[1]
_MANY = 150
_CELL = "#0072B2"


@styled
def projection_scatter(panels: Mapping[str, Projection]) -> Figure:
    """Where a sample's maps lie on 2 or 3 principal axes, and which a layer's draw kept (●) and hit (×).

    The grid is the one whose cells give the density; in 2-D a cell is the darker the more maps it holds.

    Args:
        panels: Projections by the panel's title. Axes are scaled to each panel's own range: the length of a principal
            axis means nothing.
    """
    rows, columns = grid_of(len(panels), 3)
    figure = new_figure(2.5 * columns, 2.75 * rows)
    for number, (title, projection) in enumerate(panels.items(), start=1):
        flat = projection.points.shape[1] == 2
        axes: Any = figure.add_subplot(rows, columns, number, **({} if flat else {"projection": "3d"}))
        (_cells if flat else _walls)(axes, projection)
        points, hit = projection.points.numpy(), projection.hit.numpy()
        area = 16 if len(points) <= _MANY else 6
        for chosen, label, style in (
            (~hit, "kept", {"marker": "o", "facecolors": KEPT_COLOR, "edgecolors": "white", "s": area}),
            (hit, projection.verb, {"marker": "x", "color": HIT_COLOR, "s": area}),
        ):
            axes.scatter(
                *points[chosen].T, label=f"{label}: {int(chosen.sum())}", linewidths=0.5 if label == "kept" else 1.0,
                **style,
            )  # fmt: skip
        axes.set_title(title)
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0.0 if flat else 0.03), ncols=2, handletextpad=0.1, columnspacing=1
        )
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
    return figure


def edges_of(points: np.ndarray[Any, Any], bins: int) -> list[np.ndarray[Any, Any]]:
    """The borders of the cells along each axis: equal bins between the least and greatest value; 2 wide if equal."""
    ends = [(column.min(), column.max()) for column in points.T]
    return [
        np.linspace(low, high, bins + 1) if high > low else np.linspace(low - 1, low + 1, bins + 1)
        for low, high in ends
    ]


def draw_borders(axes: Axes, edges: Sequence[np.ndarray[Any, Any]], zorder: float) -> None:
    """Faint lines along x and y, between the cells."""
    for line_at, ends in zip((axes.axvline, axes.axhline), edges, strict=True):
        for end in ends:
            line_at(end, color="#dddddd", linewidth=0.6, zorder=zorder)


def _cells(axes: Axes, projection: Projection) -> None:
    """The grid, each cell shaded by the maps in it."""
    points = projection.points.numpy()
    x, y = edges_of(points, projection.bins)
    # By the density that the layer saw, not by counting again: rounding at a border must not tell another story.
    column, row = (np.clip(np.searchsorted(edges, points[:, i], "right") - 1, 0, projection.bins - 1)
                   for i, edges in enumerate((x, y)))  # fmt: skip
    density = projection.density.numpy()
    for i, j in {*zip(column.tolist(), row.tolist(), strict=True)}:
        share = float(np.median(density[(column == i) & (row == j)]))
        corner, size = (x[i], y[j]), (x[i + 1] - x[i], y[j + 1] - y[j])
        axes.add_patch(Rectangle(corner, *size, facecolor=_CELL, alpha=0.04 + 0.26 * share, linewidth=0, zorder=0))
    draw_borders(axes, (x, y), zorder=0.5)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("axis 1", labelpad=1, loc="left", color=FAINT, fontsize=7)
    axes.set_ylabel("axis 2", labelpad=1, loc="bottom", color=FAINT, fontsize=7)
    axes.margins(0.04)


def _walls(axes: Any, projection: Projection) -> None:
    """Grid lines of the cells on the walls of a 3-D panel."""
    for name, edges in zip("xyz", edges_of(projection.points.numpy(), projection.bins), strict=True):
        getattr(axes, f"set_{name}ticks")(edges, labels=[])
        getattr(axes, f"set_{name}label")(f"axis {'xyz'.index(name) + 1}", labelpad=-14, color=FAINT, fontsize=7)
        getattr(axes, f"set_{name}lim")(edges[0], edges[-1])
    axes.set_box_aspect(None, zoom=0.92)
