"""The table on the terminal, and under it in plain words what it can and can't say."""

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import CLEAN, Column, audits, columns
from dropover.lab.study import Study

CELL = len("99.9 ± 10.0 *†")
GAP = 2


def show(console: Console, table: pd.DataFrame, study: Study, images: int) -> None:
    """Print every arm's figures at the shown columns, then the verdicts. `images` is the number attacked."""
    shown = columns(table, study)
    arms = [arm.label for arm in study.arms if any(arm.label in column.figures for column in shown)]
    console.print("Accuracy in percent, mean ± spread over seeds", style="dim")
    for part in _parts(shown, console.width - max(map(len, arms)) - GAP):
        console.print(_table(arms, part))
    console.print(verdicts.dagger_legend(study), style="dim", markup=False, highlight=False)
    lines = [""]
    for column in shown:
        if column.measure == CLEAN:
            others = [figure for figure in column.figures.values() if figure.difference is not None]
            lines += [f"• {figure.arm}: {verdicts.against_reference(figure, study.reference)}" for figure in others]
            lines += ["", *verdicts.about_the_test(others)]
    checked = verdicts.audit_headline(audits(table, study, images))
    for line in [*lines, *([checked] if checked else []), *verdicts.throughput(table)]:
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
    best = arm in column.best
    marks = f" {'*' if best else ''}{'†' if figure.dagger else ''}".rstrip()
    return Text(f"{100 * figure.mean:.1f}{spread}{marks}", style="bold" if best else "")
