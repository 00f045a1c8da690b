"""A reproduction on the terminal: its tables, what the paper claims, and what scale it is of."""

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from dropover.lab.reproductions import Reproduction
from dropover.lab.reproductions.parts.claims import Claims
from dropover.lab.reproductions.parts.deviations import deviations, scale_line
from dropover.lab.reproductions.parts.items import Cell, Item, Table
from dropover.lab.reproductions.parts.studies import Evidence

_GAP = 2
_LABEL = 16
"""Longest line of a column's name."""


def show(console: Console, reproduction: Reproduction, outcome: Evidence, items: Sequence[Item]) -> None:
    """Print every table and the judged claims, then what is missing, the scale and where it leaves the paper."""
    for item in items:
        if isinstance(item, Table):
            console.print(f"\n{item.title}", style="bold", markup=False, highlight=False)
            for part in _parts(item, console.width):
                console.print(part)
            for note in item.notes:
                console.print(note, style="dim", markup=False, highlight=False)
        elif isinstance(item, Claims):
            console.print("")
            for claim in item.claims:
                ours = f" ({claim.ours})" if claim.ours else ""
                console.print(f"• {claim.text}: {claim.verdict}{ours}", markup=False, highlight=False)
    console.print("")
    partial = [f"Partial: {line}." for line in outcome.unfinished]
    for line in [*partial, scale_line(outcome.scale), *deviations(reproduction, outcome)]:
        console.print(line, style="dim", markup=False, highlight=False)


def _parts(table: Table, width: int) -> list[Grid]:
    """The table cut into pieces that fit the terminal: the heads, and as many columns as there is room for.

    Columns of printed figures alone are left to the page.
    """
    shown = [i for i in range(len(table.columns)) if any(_ours(line.cells[i]) for line in table.lines)]
    heads = [max(len(head), *(len(line.heads[i]) for line in table.lines)) + _GAP for i, head in enumerate(table.heads)]
    parts: list[list[int]] = []
    left = 0
    for i in shown:
        needed = min(len(table.columns[i]), _LABEL)
        needed = max(needed, *(max(map(len, _cell(line.cells[i]).plain.split("\n"))) for line in table.lines)) + _GAP
        if not parts or needed > left:
            parts.append([])
            left = width - sum(heads)
        parts[-1].append(i)
        left -= needed
    return [_grid(table, part) for part in parts]


def _ours(cell: Cell) -> str:
    return cell.ours_text or cell.text


def _grid(table: Table, columns: Sequence[int]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP, 0, 0))
    for head in table.heads:
        grid.add_column(head, no_wrap=True)
    for i in columns:
        grid.add_column("\n".join(textwrap.wrap(table.columns[i], _LABEL)), justify="right", no_wrap=True)
    before: tuple[str, ...] = ()
    for line in table.lines:
        last = len(line.heads) - 1
        heads = ["" if before[: i + 1] == line.heads[: i + 1] and i < last else h for i, h in enumerate(line.heads)]
        if any(_ours(line.cells[i]) for i in columns):
            grid.add_row(*map(Text, heads), *(_cell(line.cells[i]) for i in columns))
            before = line.heads
    return grid


def _cell(cell: Cell) -> Text:
    text = Text(cell.ours_text or cell.text or "–", style="bold" if cell.bold else "")
    if cell.printed:
        text.append(f"\n({cell.printed_text})", style="bold dim" if cell.printed_bold else "dim")
    return text
