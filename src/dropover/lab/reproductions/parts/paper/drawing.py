"""A table drawn as in print: three rules, the best in bold, and under it what scale it is of."""

import textwrap
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from dropover.lab.pictures.style import FAINT, INK, new_figure, styled
from dropover.lab.reproductions.parts.items import Cell, Table

# Inches, and points for type.
_LINE, _SMALL_LINE, _PAD, _GAP, _MARGIN = 0.165, 0.125, 0.055, 0.2, 0.12
_SIZE, _SMALL, _NOTE = 8.0, 6.5, 6.5


@styled
def draw_table(table: Table, notes: Sequence[str]) -> Figure:
    """Draw a table: ours in a cell's first line, the printed figure in the second, smaller and grey.

    Args:
        table: What to draw.
        notes: What stands under it beside the table's own notes.
    """
    figure = new_figure(1, 1)
    figure.set_layout_engine("none")
    # A column's name over several lines, so that a table of many columns can be read on a page.
    names = [name.replace(": ", ":\n").replace(", ", ",\n").split("\n") for name in (*table.heads, *table.columns)]
    deep = max(map(len, names))
    rows: list[list[str | tuple[str, str]]] = [[*line.heads, *map(_lines, line.cells)] for line in table.lines]
    widths = [
        max(*(_width(figure, part, _SIZE, bold=True) for part in name), *(_cell_width(figure, row[i]) for row in rows))
        + _GAP
        for i, name in enumerate(names)
    ]
    heights = [
        2 * _PAD + _LINE + (_SMALL_LINE if any(isinstance(cell, tuple) and cell[1] for cell in row) else 0)
        for row in rows
    ]
    width = max(sum(widths) + 2 * _MARGIN, 4.0)
    small = _wrapped(figure, [*table.notes, *notes], width - 2 * _MARGIN)
    head = deep * _LINE + 2 * _PAD
    height = 2 * _MARGIN + _LINE + _PAD + head + sum(heights) + _PAD + _SMALL_LINE * len(small)
    figure.set_size_inches(width, height)
    pen = _Pen(figure, width, height)
    starts = [_MARGIN + sum(widths[:i]) for i in range(len(widths))]
    right = _MARGIN + sum(widths)
    y = _MARGIN + _LINE
    pen.text(_MARGIN, y, table.title, bold=True)
    y += _PAD
    pen.rule(_MARGIN, right, y, 1.0)
    y += _PAD + deep * _LINE
    for start, cell_width, name, place in zip(starts, widths, names, range(len(names)), strict=True):
        for row, part in enumerate(reversed(name)):
            if place < len(table.heads):
                pen.text(start, y - row * _LINE, part, bold=True)
            else:
                pen.text(start + cell_width - _GAP / 2, y - row * _LINE, part, bold=True, align="right")
    y += _PAD
    pen.rule(_MARGIN, right, y, 0.6)
    before: tuple[str, ...] = ()
    for line, row_height in zip(table.lines, heights, strict=True):
        if before and len(table.heads) > 1 and before[0] != line.heads[0]:
            pen.rule(_MARGIN, right, y, 0.3)
        base = y + _PAD + _LINE * 0.8
        for place, text in enumerate(line.heads):
            if before[: place + 1] != line.heads[: place + 1] or place == len(line.heads) - 1:
                pen.text(starts[place], base, text, italic=line.added)
        for place, cell in enumerate(line.cells, start=len(table.heads)):
            edge = starts[place] + widths[place] - _GAP / 2
            ours, printed = _lines(cell)
            pen.text(edge, base, ours, bold=cell.bold, align="right")
            pen.text(edge, base + _SMALL_LINE, printed, _SMALL, cell.printed_bold, "right", FAINT)
        before = line.heads
        y += row_height
    pen.rule(_MARGIN, right, y, 1.0)
    y += _PAD
    for note in small:
        y += _SMALL_LINE
        pen.text(_MARGIN, y, note, _NOTE)
    return figure


class _Pen:
    """Writes at inches from the top left corner."""

    def __init__(self, figure: Figure, width: float, height: float) -> None:
        self._figure, self._width, self._height = figure, width, height

    def text(
        self, x: float, y: float, text: str, size: float = _SIZE, bold: bool = False, align: str = "left",
        color: str = INK, italic: bool = False,
    ) -> None:  # fmt: skip
        """Text whose baseline is at y."""
        if text:
            self._figure.text(
                x / self._width, 1 - y / self._height, text, fontsize=size, ha=align, va="baseline", color=color,
                fontweight="bold" if bold else "normal", fontstyle="italic" if italic else "normal", parse_math=False,
            )  # fmt: skip

    def rule(self, left: float, right: float, y: float, thickness: float) -> None:
        """A line across the table."""
        height = 1 - y / self._height
        ends = [left / self._width, right / self._width]
        self._figure.add_artist(Line2D(ends, [height, height], linewidth=thickness, color=INK))


def _lines(cell: Cell) -> tuple[str, str]:
    """A cell's two lines: ours (or its text, or a dash), and the printed figure."""
    printed = f"paper {cell.printed_text}" if cell.printed else ""
    return cell.ours_text or cell.text or "–", printed


def _cell_width(figure: Figure, cell: str | tuple[str, str]) -> float:
    if isinstance(cell, str):
        return _width(figure, cell, _SIZE)
    return max(_width(figure, cell[0], _SIZE, bold=True), _width(figure, cell[1], _SMALL, bold=True))


def _width(figure: Figure, text: str, size: float, bold: bool = False) -> float:
    """Inches that a text takes in the figures' font."""
    if not text:
        return 0.0
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = renderer.get_text_width_height_descent(text, font, ismath=False)
    return float(width / figure.dpi)


def _wrapped(figure: Figure, notes: Sequence[str], width: float) -> list[str]:
    """The notes in lines of at most that many inches, by the mean width of a letter."""
    letter = _width(figure, "abcdefghijklmnopqrstuvwxyz ", _NOTE) / 27
    return [line for note in notes for line in textwrap.wrap(note, max(30, int(width / letter)))]
