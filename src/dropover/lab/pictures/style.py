"""One look for all figures, how they are laid out, and how they are written."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dropover.lab.pictures.palette import COLORS, REFERENCE_COLOR

INK, FAINT = "#333333", "#999999"
SEQUENTIAL, HEAT, SIGNED = "cividis", "inferno", "RdBu_r"
"""Colour maps for shares, for heat maps, and for differences around 0."""
MARKERS = ("o", "s", "^", "D", "P", "v", ">", "<", "X")

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "figure.titlesize": 9,
    "figure.dpi": 100,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.grid": False,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "image.interpolation": "nearest",
    "svg.fonttype": "path",  # letters as outlines: right without the font
    "svg.hashsalt": "dropover",
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
}
_NO_DATE: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
_PNG_DPI = 200

styled = mpl.rc_context(_STYLE)
"""Decorator: what a function draws has this look; matplotlib's settings are as before when it returns."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, laid out so that nothing overlaps or is cut off."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid_of(panels: int, columns: int) -> tuple[int, int]:
    """Rows and columns for that many panels, at most `columns` in a row, without a nearly empty last row."""
    rows = math.ceil(panels / columns)
    return rows, math.ceil(panels / rows)


def axes_of(figure: Figure, panels: int, columns: int, *, share: bool = False) -> list[Axes]:
    """As many panels as asked for, row by row; what is left over of the grid stays empty."""
    rows, columns = grid_of(panels, columns)
    made = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).flat)
    for number, axes in enumerate(made):
        if number >= panels:
            axes.remove()
        elif share and number + columns >= panels:
            axes.tick_params(labelbottom=True)  # nothing below it: its own numbers
    return made[:panels]


def letters() -> Iterator[str]:
    """(a), (b), … for panels' titles."""
    return (f"({chr(ord('a') + index)})" for index in range(26))


def colors_for(names: Iterable[str], reference: str = "none") -> dict[str, str]:
    """A colour for each name: grey for the reference, the palette in turn for the others."""
    others = [name for name in names if name != reference]
    return {reference: REFERENCE_COLOR, **{name: COLORS[i % len(COLORS)] for i, name in enumerate(others)}}


def plain_grid(axes: Axes, axis: str = "both") -> None:
    """Faint grid lines behind the data."""
    axes.grid(True, axis=axis)  # type: ignore[arg-type]


@styled
def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as `stem`.svg, .pdf and .png; the same figure gives the same bytes every time.

    Args:
        figure: One that a function of this package has made.
        stem: Where to, without an ending; missing folders are made.

    Returns:
        The files.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    # Laid out once: all formats look the same, in a third of the time.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    # Not `with_suffix`: a name may have a dot of its own.
    paths = [stem.parent / f"{stem.name}.{kind}" for kind in _NO_DATE]
    for path, metadata in zip(paths, _NO_DATE.values(), strict=True):
        figure.savefig(path, dpi=_PNG_DPI, metadata=metadata)
    return paths
