"""One look for all figures, how they are laid out, and how they are written."""

import base64
import io
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, FAINT = "#333333", "#999999"
SEQUENTIAL, HEAT = "cividis", "inferno"
"""Colour maps for shares, and for heat maps."""

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


def embedded(svg: Path) -> str:
    """The address of an SVG file's content, for an image on a page: two as parts of a page may share an id."""
    return _address(svg.read_bytes())


def _address(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


@styled
def address_of(figure: Figure) -> str:
    """The address of a figure's own content as SVG, for an image on a page that has no files beside it."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata=_NO_DATE["svg"])
    return _address(file.getvalue())


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
