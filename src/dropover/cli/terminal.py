"""What commands print alike: lines as they are, lists, facts, and tables cut to the terminal's width."""

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

GAP = 2


def say(line: str, style: str | None = None, *, wrap: bool = True, console: Console | None = None) -> None:
    """Print a line as it is: names may hold brackets, which rich would read as markup."""
    (console or Console()).print(line, style=style, markup=False, highlight=False, soft_wrap=not wrap)


def print_list(columns: Sequence[str], rows: Iterable[Sequence[str]], wrap: Collection[str]) -> None:
    """Print rows under headings; the columns named in `wrap` may be broken into several lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column not in wrap)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print terms, each with what there is to say of it; a term is not repeated in the next line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for term, text in facts:
        table.add_row("" if term == before else term, Text(text))
        before = term
    Console().print(table)


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
