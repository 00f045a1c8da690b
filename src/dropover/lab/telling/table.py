"""A study's answer on the terminal: in words, then the table, and under it what the marks and the verdicts are."""

import io
import shutil
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropover.lab.judging.answer import Answer
from dropover.lab.judging.comparison import Column
from dropover.lab.judging.verdicts import wanting
from dropover.lab.telling.terminal import GAP, fitting, grid, say

_LABEL = 16
"""Longest line of a column's name."""


def show(answer: Answer, console: Console | None = None) -> None:
    """Print the answer in words, every arm's figures at the answer's columns, the first verdicts, and the speed."""
    console = console or Console()
    say("\nThe answer", "bold", console=console)
    for line in answer.conclusion.lines:
        say(line, console=console)
    if answer.remedy:
        # Whole, so that it can be copied.
        say(f"Seeds where they are needed: {answer.remedy}", wrap=False, console=console)
    say(f"\n{answer.units}", "dim", console=console)
    cells = [[_cell(answer, column, arm) for arm in answer.arms] for column in answer.columns]
    widths = [
        max(map(len, [*_head(column), *(cell.plain for cell in row)]))
        for column, row in zip(answer.columns, cells, strict=True)
    ]
    # Where a name leaves no room for a figure, it is the name that is broken.
    name = min(max(map(len, answer.arms)), max(_LABEL, console.width - max(widths, default=0) - 2 * GAP))
    for part in fitting(widths, console.width - name - GAP):
        heads = ["\n".join(_head(answer.columns[place])) for place in part]
        console.print(_table(answer.arms, name, heads, [cells[place] for place in part]))
    say(answer.legend, "dim", console=console)
    for line in ["", *_verdicts(answer), "", *answer.audited, *answer.margin, *answer.speed]:
        say(line, console=console)


def text_of(answer: Answer) -> str:
    """The same as text, as wide as the terminal."""
    console = Console(file=io.StringIO(), width=shutil.get_terminal_size().columns)
    with console.capture() as said:
        show(answer, console)
    return said.get().strip("\n")


def _verdicts(answer: Answer) -> list[str]:
    """Every arm's verdict on clean images, and on what the user's own function has returned."""
    return [
        f"• {arm}: {' '.join([f'{column.measure} {answer.verdict(column, arm)}.', *wanting(comparison)])}"
        for column in answer.columns
        for arm, comparison in column.comparisons.items()
        if column.level is None and comparison.difference is not None
    ]


def _head(column: Column) -> list[str]:
    level = [] if column.level is None else [f"{column.level:g}"]
    return [*textwrap.wrap(column.measure, _LABEL), *level]


def _table(arms: Sequence[str], name: int, heads: Sequence[str], cells: Sequence[Sequence[Text]]) -> Table:
    table = grid([])
    table.add_column("arm", max_width=name, overflow="fold")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for arm, *row in zip(arms, *cells, strict=True):
        table.add_row(Text(arm), *row)
    return table


def _cell(answer: Answer, column: Column, arm: str) -> Text:
    figure = column.figures.get(arm)
    if figure is None:
        return Text("–")
    reading = column.reading
    spread = "" if figure.spread is None else f" ± {reading.figure(figure.spread)}"
    marks = f" {column.sign(arm)}{column.marks(arm)}".rstrip()
    audited = answer.soundness(column, arm)
    marks += f" {audited.mark}" if audited else ""
    return Text(f"{reading.figure(figure.mean)}{spread}{marks}", style="bold" if arm in column.best else "")
