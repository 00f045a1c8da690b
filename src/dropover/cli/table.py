"""A study's answer on the terminal: the table, and under it in plain words what it can and can't say."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropover.lab.judging.answer import Answer
from dropover.lab.judging.comparison import Column
from dropover.lab.judging.verdicts import against_reference

CELL = len("99.9 ± 10.0 *†")
GAP = 2


def show(console: Console, answer: Answer) -> None:
    """Print every arm's figures at the answer's columns, then what they say of clean accuracy, and the speed."""
    console.print("Accuracy in percent, mean ± spread over seeds", style="dim")
    for part in _parts(answer.columns, console.width - max(map(len, answer.arms)) - GAP):
        console.print(_table(answer.arms, part))
    console.print(answer.legend, style="dim", markup=False, highlight=False)
    clean = [figure for figure in answer.columns[0].figures.values() if figure.difference is not None]
    said = [f"• {figure.arm}: {against_reference(figure, answer.study.reference)}" for figure in clean]
    for line in ["", *said, "", *answer.about_the_test, *answer.margin, *answer.speed]:
        console.print(line, markup=False, highlight=False)


def _parts(shown: Sequence[Column], room: int) -> list[list[Column]]:
    """The columns cut into tables that fit the terminal's width, at least one column each."""
    parts: list[list[Column]] = []
    left = 0
    for column in shown:
        width = max(len(column.measure), CELL) + GAP
        if not parts or width > left:
            parts.append([])
            left = room
        parts[-1].append(column)
        left -= width
    return parts


def _table(arms: Sequence[str], shown: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("arm", no_wrap=True)
    for column in shown:
        level = "" if column.level is None else f"\n{column.level:g}"
        table.add_column(f"{column.measure}{level}", no_wrap=True)
    for arm in arms:
        table.add_row(Text(arm), *(_cell(column, arm) for column in shown))
    return table


def _cell(column: Column, arm: str) -> Text:
    figure = column.figures.get(arm)
    if figure is None:
        return Text("–")
    spread = "" if figure.spread is None else f" ± {100 * figure.spread:.1f}"
    marks = f" {column.marks(arm)}".rstrip()
    return Text(f"{100 * figure.mean:.1f}{spread}{marks}", style="bold" if arm in column.best else "")
