"""What commands print alike: lines as they are, lists, facts, and tables cut to the terminal's width."""

import textwrap
from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

GAP = 2
READABLE = 40
"""Columns that a text needs: squeezed into fewer it is a tower of words."""


class Screen(Console):
    """Where commands print."""

    def on_broken_pipe(self) -> None:
        """Whoever read the output has left (`| head`): the command ends, and not as by a failure of its own."""
        # rich calls this where it has caught the error, and would make it a SystemExit.
        raise


def say(line: str, style: str | None = None, *, wrap: bool = True, console: Console | None = None) -> None:
    """Print a line as it is: names may hold brackets, which rich would read as markup."""
    (console or Screen()).print(line, style=style, markup=False, highlight=False, soft_wrap=not wrap)


def bars(console: Console) -> Progress:
    """Bars that go when all is done, each with a description and a `detail`; none where this is no terminal."""
    return Progress(
        # Labels may hold brackets, which rich would read as markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def clock(seconds: float) -> str:
    """A time such as "2 h 05 min", "3 min 20 s" or "7 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def print_list(
    columns: Sequence[str], rows: Iterable[Sequence[str]], wrap: Collection[str], console: Console | None = None
) -> None:
    """Print rows under headings; the columns named in `wrap` hold texts, which may be broken into several lines.

    Where these would be squeezed they stand under the rest of their row. Nothing is cut.
    """
    console, rows = console or Screen(), list(rows)
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    least = [min(width, READABLE) if name in wrap else width for name, width in zip(columns, widths, strict=True)]
    if sum(least) + GAP * (len(columns) - 1) > console.width:
        _print_texts_under(columns, rows, widths, wrap, console)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column not in wrap, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_texts_under(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    wrap: Collection[str],
    console: Console,
) -> None:
    """The columns that fit side by side, and under each row its texts over the whole width."""
    beside = [place for place, name in enumerate(columns) if place == 0 or name not in wrap]
    if sum(widths[place] + GAP for place in beside) - GAP > console.width:
        beside = [0]
    under = [place for place in range(len(columns)) if place not in beside]

    def line(cells: Sequence[str]) -> str:
        return "".join(cells[place] + " " * (widths[place] + GAP - cell_len(cells[place])) for place in beside).rstrip()

    say(line(columns), "bold", wrap=False, console=console)
    for row in rows:
        if head := line(row):  # a row may go on with the name of the one before
            say(head, wrap=False, console=console)
        for place in under:
            # A single text speaks for itself.
            text = row[place] if len(under) == 1 or not row[place] else f"{columns[place]}: {row[place]}"
            indent = " " * GAP
            for part in textwrap.wrap(text, console.width, initial_indent=indent, subsequent_indent=indent):
                say(part, wrap=False, console=console)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print terms, each with what there is to say of it; a term is not repeated in the next line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for term, text in facts:
        table.add_row("" if term == before else term, Text(text))
        before = term
    Screen().print(table)


def grid(heads: Sequence[str]) -> Table:
    """A table of figures, begun with the columns that stand before them."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def fitting(widths: Sequence[int], room: int) -> list[list[int]]:
    """The places of columns, cut into pieces that fit the room, at least one column each."""
    parts: list[list[int]] = []
    free = 0
    for place, width in enumerate(widths):
        if not parts or width + GAP > free:
            parts.append([])
            free = room
        parts[-1].append(place)
        free -= width + GAP
    return parts
