"""What a reproduction is drawn as: tables in the paper's layout, pictures with their data, and claims judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dropover.lab.reproductions.parts.claims import Claims

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from dropover.lab.judging.comparison import Figure


@dataclass(frozen=True)
class Printed:
    """A figure as printed, in percent."""

    mean: float
    spread: float | None = None


@dataclass(frozen=True)
class Cell:
    """One place of a table: our figure over seeds, the printed one, or a short text; any may be missing.

    Attributes:
        ours: Ours, as shares; shown in percent.
        printed: The paper's.
        text: Shown where there is no figure of ours.
        bold: Whether ours is among the best.
        dagger: Whether ours has the paper's mark †.
        printed_bold: Whether the printed one is among the best.
        printed_dagger: Whether the printed one has the mark.
        digits: Decimals of both.
    """

    ours: Figure | None = None
    printed: Printed | None = None
    text: str = ""
    bold: bool = False
    dagger: bool = False
    printed_bold: bool = False
    printed_dagger: bool = False
    digits: int = 2

    @property
    def ours_text(self) -> str:
        """Ours in percent, mean ± spread with its mark; empty if there is none, or only a share of no image."""
        if self.ours is None or not math.isfinite(self.ours.mean):
            return ""
        spread = None if self.ours.spread is None else 100 * self.ours.spread
        return with_spread(100 * self.ours.mean, spread, self.digits) + ("†" if self.dagger else "")

    @property
    def printed_text(self) -> str:
        """The printed figure with its mark; empty if there is none."""
        if self.printed is None:
            return ""
        text = with_spread(self.printed.mean, self.printed.spread, self.digits)
        return text + ("†" if self.printed_dagger else "")


@dataclass(frozen=True)
class Line:
    """A row of a table: its heads, one for each of the table's `heads`, and a cell for each column.

    `added` marks a row that the paper does not have.
    """

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    added: bool = False


@dataclass(frozen=True)
class Table:
    """A table in the paper's layout.

    Attributes:
        name: Its files' name.
        title: What stands above it.
        heads: What the leading columns are called.
        columns: What the others are called.
        lines: Its rows.
        notes: What its marks mean, a line each.
        says: What the seeds say and can't say about it, a line each.
    """

    name: str
    title: str
    heads: Sequence[str]
    columns: Sequence[str]
    lines: Sequence[Line]
    notes: Sequence[str] = ()
    says: Sequence[str] = ()


@dataclass(frozen=True)
class Illustration:
    """A drawn figure, what it shows in words, and the data that it was drawn from."""

    name: str
    title: str
    caption: str
    drawing: Drawing
    data: pd.DataFrame
    says: Sequence[str] = ()


Item = Table | Illustration | Claims


def cells(
    arms: Sequence[str], ours: Mapping[str, Figure], printed: Mapping[str, Printed], top: int = 1,
    daggers: Sequence[str] = (),
) -> tuple[Cell, ...]:  # fmt: skip
    """One cell an arm.

    Args:
        arms: The arms, in the table's order.
        ours: Our figures, those there are.
        printed: The printed ones, those there are.
        top: How many of the best are bold.
        daggers: Arms that have a † in print, and of ours where they are above the reference by Student's t-test.
    """
    best = _best({arm: figure.mean for arm, figure in ours.items() if arm in arms}, top)
    best_printed = _best({arm: value.mean for arm, value in printed.items()}, top)
    return tuple(
        Cell(
            ours.get(arm),
            printed.get(arm),
            bold=arm in best,
            dagger=arm in daggers and arm in ours and ours[arm].dagger,
            printed_bold=arm in best_printed,
            printed_dagger=arm in daggers,
        )
        for arm in arms
    )


def lines(heads: Sequence[tuple[str, ...]], columns: Sequence[Sequence[Cell]]) -> list[Line]:
    """Rows from columns: each with its heads and its cell of every column."""
    return [Line(head, tuple(row)) for head, row in zip(heads, zip(*columns, strict=True), strict=True)]


def with_spread(mean: float, spread: float | None, digits: int) -> str:
    """A mean ± its spread, where that is known."""
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def _best(means: Mapping[str, float], top: int) -> set[str]:
    """The arms with the highest means: `top` at most, but for ties of the very best; none where all are equal."""
    rounded = {arm: round(mean, 9) for arm, mean in means.items() if math.isfinite(mean)}
    values = sorted(set(rounded.values()), reverse=True)
    best: set[str] = set()
    for value in values if len(values) > 1 else []:
        group = {arm for arm, mean in rounded.items() if mean == value}
        if best and len(best | group) > top:
            break
        best |= group
    return best
