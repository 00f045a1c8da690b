"""A study's answer on the terminal: the table, and under it in plain words what it can and can't say."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropover.cli.terminal import GAP, fitting, grid, say
from dropover.lab.judging.answer import Answer
from dropover.lab.judging.comparison import Column

CELL = len("99.9 ± 10.0 *†")


def show(answer: Answer) -> None:
    """Print every arm's figures at the answer's columns, then what they say of clean accuracy, and the speed."""
    console = Console()
    console.print("Accuracy in percent, mean ± spread over seeds", style="dim")
    widths = [max(len(column.measure), CELL) for column in answer.columns]
    for part in fitting(widths, console.width - max(map(len, answer.arms)) - GAP):
        console.print(_table(answer.arms, [answer.columns[place] for place in part]))
    say(answer.legend, "dim")
    clean = [figure for figure in answer.columns[0].figures.values() if figure.difference is not None]
    comparisons = [f"• {figure.arm}: {answer.says(figure)}" for figure in clean]
    for line in ["", *comparisons, "", *answer.about_the_test, *answer.margin, *answer.speed]:
        say(line)


def _table(arms: Sequence[str], columns: Sequence[Column]) -> Table:
    table = grid(["arm"])
    for column in columns:
        level = "" if column.level is None else f"\n{column.level:g}"
        table.add_column(f"{column.measure}{level}", no_wrap=True)
    for arm in arms:
        table.add_row(Text(arm), *(_cell(column, arm) for column in columns))
    return table


def _cell(column: Column, arm: str) -> Text:
    figure = column.figures.get(arm)
    if figure is None:
        return Text("–")
    spread = "" if figure.spread is None else f" ± {100 * figure.spread:.1f}"
    marks = f" {column.marks(arm)}".rstrip()
    return Text(f"{100 * figure.mean:.1f}{spread}{marks}", style="bold" if arm in column.best else "")
