"""A table drawn as in print: three rules, the best in bold, and under it what scale it is of."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from dropover.lab.pictures.style import FAINT, INK, new_figure, styled
from dropover.lab.reproductions.parts.items import Cell, Line, Table

# Inches, and points for type.
_LINE, _SMALL_LINE, _PAD, _GAP, _MARGIN = 0.165, 0.125, 0.055, 0.2, 0.12
_SIZE, _SMALL = 8.0, 6.5


@styled
def draw_table(table: Table, notes: Sequence[str]) -> Figure:
    """Draw a table, with more notes under its own.

    Ours stands in a cell's first line, the printed figure in the second, smaller and grey.
    """
    figure = new_figure(1, 1)
    figure.set_layout_engine("none")
    # A column's name over several lines, so that a table of many columns can be read on a page.
    names = [name.replace(": ", ":\n").replace(", ", ",\n").split("\n") for name in (*table.heads, *table.columns)]
    widths = [
        max(*(_width(figure, part) for part in name), *(_column_width(figure, line, place) for line in table.lines))
        + _GAP
        for place, name in enumerate(names)
    ]
    width = max(sum(widths) + 2 * _MARGIN, 4.0)
    # In lines that fit, by the mean width of a letter.
    letter = _width(figure, "abcdefghijklmnopqrstuvwxyz ", _SMALL, bold=False) / 27
    letters = max(30, int((width - 2 * _MARGIN) / letter))
    small = [line for note in (*table.notes, *notes) for line in textwrap.wrap(note, letters)]
    deep = max(map(len, names))
    head, body = deep * _LINE + 2 * _PAD, sum(map(_height, table.lines))
    height = 2 * _MARGIN + _LINE + _PAD + head + body + _PAD + _SMALL_LINE * len(small)
    figure.set_size_inches(width, height)
    pen = _Pen(figure, width, height, widths, len(table.heads), _MARGIN + _LINE)
    pen.text(0, table.title, bold=True)
    pen.y += _PAD
    pen.rule(1.0)
    pen.y += _PAD + deep * _LINE
    for place, name in enumerate(names):
        for row, part in enumerate(reversed(name)):
            pen.text(place, part, row * _LINE, bold=True)
    pen.y += _PAD
    pen.rule(0.6)
    _draw_body(pen, table.lines)
    pen.rule(1.0)
    pen.y += _PAD
    for note in small:
        pen.y += _SMALL_LINE
        pen.text(0, note, size=_SMALL)
    return figure


@dataclass
class _Pen:
    """Writes into columns of some widths, in inches from the top left corner; `y` is how far down it is."""

    figure: Figure
    width: float
    height: float
    widths: Sequence[float]
    heads: int
    y: float

    def text(
        self, place: int, text: str, above: float = 0.0, size: float = _SIZE, bold: bool = False, color: str = INK,
        italic: bool = False,
    ) -> None:  # fmt: skip
        """Text in a column, heads aligned left and figures right, with its baseline that much above the pen."""
        if text:
            x, align = _MARGIN + sum(self.widths[:place]), "left"
            if place >= self.heads:
                x, align = x + self.widths[place] - _GAP / 2, "right"
            self.figure.text(
                x / self.width, 1 - (self.y - above) / self.height, text, fontsize=size, ha=align, va="baseline",
                color=color, fontweight="bold" if bold else "normal", fontstyle="italic" if italic else "normal",
                parse_math=False,
            )  # fmt: skip

    def rule(self, thickness: float) -> None:
        """A line across the table."""
        ends = [_MARGIN / self.width, (_MARGIN + sum(self.widths)) / self.width]
        height = 1 - self.y / self.height
        self.figure.add_artist(Line2D(ends, [height, height], linewidth=thickness, color=INK))


def _draw_body(pen: _Pen, lines: Sequence[Line]) -> None:
    """The rows; a head that is the same as in the row above is not repeated, and a new first one gets a rule."""
    before: tuple[str, ...] = ()
    for line in lines:
        if before and len(line.heads) > 1 and before[0] != line.heads[0]:
            pen.rule(0.3)
        top = pen.y
        pen.y = top + _PAD + _LINE * 0.8
        for place, text in enumerate(line.heads):
            if before[: place + 1] != line.heads[: place + 1] or place == len(line.heads) - 1:
                pen.text(place, text, italic=line.added)
        for place, cell in enumerate(line.cells, start=len(line.heads)):
            ours, printed = _texts(cell)
            pen.text(place, ours, bold=cell.bold)
            pen.text(place, printed, -_SMALL_LINE, _SMALL, cell.printed_bold, FAINT)
        before = line.heads
        pen.y = top + _height(line)


def _height(line: Line) -> float:
    return 2 * _PAD + _LINE + (_SMALL_LINE if any(cell.printed for cell in line.cells) else 0)


def _texts(cell: Cell) -> tuple[str, str]:
    """A cell's two lines: ours (or its text, or a dash), and the printed figure."""
    printed = f"paper {cell.printed_text}" if cell.printed else ""
    return cell.ours_text or cell.text or "–", printed


def _column_width(figure: Figure, line: Line, place: int) -> float:
    """Inches that a row takes in a column."""
    if place < len(line.heads):
        return _width(figure, line.heads[place], bold=False)
    ours, printed = _texts(line.cells[place - len(line.heads)])
    return max(_width(figure, ours), _width(figure, printed, _SMALL))


def _width(figure: Figure, text: str, size: float = _SIZE, *, bold: bool = True) -> float:
    """Inches that a text takes in the figures' font."""
    if not text:
        return 0.0
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = renderer.get_text_width_height_descent(text, font, ismath=False)
    return float(width / figure.dpi)
