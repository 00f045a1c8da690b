"""What a reproduction is made of: tables in the paper's layout, pictures with their data, and claims judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from dropover.lab.judging.comparison import Figure
    from dropover.lab.reproductions.parts.printed import Printed


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
        return _number(100 * self.ours.mean, spread, self.digits) + ("†" if self.dagger else "")

    @property
    def printed_text(self) -> str:
        """The printed figure with its mark; empty if there is none."""
        if self.printed is None:
            return ""
        return _number(self.printed.mean, self.printed.spread, self.digits) + ("†" if self.printed_dagger else "")


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
    heads: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A drawn figure, what it shows in words, and the data that it was drawn from."""

    name: str
    title: str
    caption: str
    drawing: Drawing
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """Something that the paper says, and whether ours bears it out."""

    text: str
    verdict: str
    ours: str


@dataclass(frozen=True)
class Claims:
    """The paper's claims, judged on our figures."""

    claims: Sequence[Claim]
    name: str = "claims"
    title: str = "What the paper claims"


Item = Table | Picture | Claims


def _number(mean: float, spread: float | None, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")
