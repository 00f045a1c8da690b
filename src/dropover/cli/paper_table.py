"""A reproduction on the terminal: its tables, what the paper claims, and what scale it is of."""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from dropover.lab.reproductions import Reproduction
from dropover.lab.reproductions.parts.claims import Claims
from dropover.lab.reproductions.parts.deviations import deviations, scale_line
from dropover.lab.reproductions.parts.items import Cell, Item, Table
from dropover.lab.reproductions.parts.studies import Evidence
from dropover.lab.telling.terminal import GAP, fitting, grid, say

_LABEL = 16
"""Longest line of a column's name."""


def show(reproduction: Reproduction, outcome: Evidence, items: Sequence[Item]) -> None:
    """Print every table and the judged claims, then what is missing, the scale and where it leaves the paper."""
    console = Console()
    for item in items:
        if isinstance(item, Table):
            say(f"\n{item.title}", "bold")
            for part in _parts(item, console.width):
                console.print(_grid(item, part))
            for note in item.notes:
                say(note, "dim")
        elif isinstance(item, Claims):
            say("")
            for claim in item.claims:
                say(f"• {claim.text}: {claim.verdict}" + (f" ({claim.ours})" if claim.ours else ""))
    say("")
    partial = [f"Partial: {line}." for line in outcome.unfinished]
    for line in [*partial, scale_line(outcome.scale), *deviations(reproduction, outcome)]:
        say(line, "dim")


def _parts(table: Table, width: int) -> list[list[int]]:
    """The columns cut into pieces that fit the terminal; those of printed figures alone are left to the page."""
    places = [i for i in range(len(table.columns)) if any(_ours(line.cells[i]) for line in table.lines)]
    cells = {i: [row for line in table.lines for row in _cell(line.cells[i]).plain.split("\n")] for i in places}
    widths = [max(min(len(table.columns[i]), _LABEL), *map(len, cells[i])) for i in places]
    heads = [max(len(head), *(len(line.heads[i]) for line in table.lines)) + GAP for i, head in enumerate(table.heads)]
    return [[places[i] for i in part] for part in fitting(widths, width - sum(heads))]


def _ours(cell: Cell) -> str:
    return cell.ours_text or cell.text


def _grid(table: Table, columns: Sequence[int]) -> Grid:
    made = grid(table.heads)
    for i in columns:
        made.add_column("\n".join(textwrap.wrap(table.columns[i], _LABEL)), justify="right", no_wrap=True)
    before: tuple[str, ...] = ()
    for line in table.lines:
        last = len(line.heads) - 1
        heads = ["" if before[: i + 1] == line.heads[: i + 1] and i < last else h for i, h in enumerate(line.heads)]
        if any(_ours(line.cells[i]) for i in columns):
            made.add_row(*map(Text, heads), *(_cell(line.cells[i]) for i in columns))
            before = line.heads
    return made


def _cell(cell: Cell) -> Text:
    text = Text(cell.ours_text or cell.text or "–", style="bold" if cell.bold else "")
    if cell.printed:
        text.append(f"\n({cell.printed_text})", style="bold dim" if cell.printed_bold else "dim")
    return text
