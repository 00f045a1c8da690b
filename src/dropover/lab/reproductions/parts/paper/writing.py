"""A reproduction's files: each table and picture in every format, and the page with all of them."""

import base64
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Drawing

from dropover.lab.judging.verdicts import throughput
from dropover.lab.machine import machine, versions
from dropover.lab.pictures.style import INK, save, styled
from dropover.lab.records.files import write_text
from dropover.lab.report.templates import environment
from dropover.lab.reproductions import Reproduction
from dropover.lab.reproductions.parts.deviations import deviations, scale_line
from dropover.lab.reproductions.parts.items import Claims, Item, Picture, Table
from dropover.lab.reproductions.parts.outcome import Outcome
from dropover.lab.reproductions.parts.paper.drawing import draw_table

PAGE = "page.html"
_NOTE_SIZE = 6.0
# Mean width of a letter of the figures' font, in its size.
_NOTE_LETTER = 0.55


@dataclass(frozen=True)
class Block:
    """An item as the page shows it."""

    item: Item
    kind: str
    files: Sequence[str]
    svg: str = ""


def write_reproduction(
    folder: Path, reproduction: Reproduction, outcome: Outcome, items: Sequence[Item], command: str
) -> list[Path]:
    """Write everything below `folder`, which exists.

    Args:
        folder: Where to.
        reproduction: What was reproduced.
        outcome: What its studies brought.
        items: What was made of that.
        command: The command that ran it, as a reader would type it.

    Returns:
        The files, the page first.
    """
    left = deviations(reproduction, outcome)
    notes = [*(f"PARTIAL: {line}." for line in outcome.unfinished), scale_line(outcome.scale), *left]
    written: list[Path] = []
    blocks = []
    for item in items:
        files = _files(folder, item, notes)
        written += files
        shown = next((file for file in files if file.suffix == ".svg"), None)
        svg = base64.b64encode(shown.read_bytes()).decode() if isinstance(item, Picture) and shown else ""
        blocks.append(Block(item, type(item).__name__.lower(), [file.name for file in files], svg))
    page = _page(reproduction, outcome, blocks, left, _circumstances(outcome, command))
    write_text(folder / PAGE, page)
    return [folder / PAGE, *written]


def table_data(table: Table) -> pd.DataFrame:
    """A table as rows: one for each cell that holds anything, figures in percent."""
    rows = []
    for line in table.lines:
        for column, cell in zip(table.columns, line.cells, strict=True):
            ours, printed = cell.ours, cell.printed
            difference = ours.difference if ours else None
            rows.append(
                {
                    "row": " / ".join(filter(None, line.heads)),
                    "column": column,
                    "ours": 100 * ours.mean if ours else None,
                    "spread": 100 * ours.spread if ours and ours.spread is not None else None,
                    "seeds": len(ours.values) if ours else None,
                    "paper": printed.mean if printed else None,
                    "paper_spread": printed.spread if printed else None,
                    "text": cell.text or None,
                    "difference": 100 * difference.mean if difference else None,
                    "difference_low": 100 * difference.low if difference and difference.low is not None else None,
                    "difference_high": 100 * difference.high if difference and difference.high is not None else None,
                    "p_student": ours.p_student if ours else None,
                    "p_exact": ours.p_exact if ours else None,
                    "p_holm": ours.p_holm if ours else None,
                }
            )
    return pd.DataFrame(rows)


def _files(folder: Path, item: Item, notes: Sequence[str]) -> list[Path]:
    stem, data = folder / item.name, folder / f"{item.name}.csv"
    if isinstance(item, Claims):
        content = pd.DataFrame([vars(claim) for claim in item.claims], columns=["text", "verdict", "ours"])
        write_text(data, content.to_csv(index=False, lineterminator="\n"))
        return [data]
    content = table_data(item) if isinstance(item, Table) else item.data
    write_text(data, content.to_csv(index=False, lineterminator="\n"))
    if isinstance(item, Table):
        return [*save(draw_table(item, notes), stem), data]
    return [*_save_with_notes(item.drawing, [*item.notes, *notes], stem), data]


@styled
def _save_with_notes(drawing: Drawing, notes: Sequence[str], stem: Path) -> list[Path]:
    """Write a figure with notes below its own area: "tight" makes the page hold them, whatever the layout."""
    _fix_in_place(drawing)
    letters = int((drawing.get_size_inches()[0] - 0.1) / (_NOTE_LETTER * _NOTE_SIZE / 72))
    lines = [line for note in notes for line in textwrap.wrap(note, max(40, letters))]
    drawing.text(0.01, -0.01, "\n".join(lines), va="top", fontsize=_NOTE_SIZE, color=INK, parse_math=False)
    with mpl.rc_context({"savefig.bbox": "tight", "savefig.pad_inches": 0.08}):
        return save(drawing, stem)


def _fix_in_place(drawing: Drawing) -> None:
    """Lay the figure out now and leave it so: legends outside of panels would go to the end of a larger page."""
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    for legend in drawing.legends:
        corner = legend.get_window_extent().transformed(drawing.transFigure.inverted())
        legend.borderaxespad = 0
        legend.set_loc("lower left")
        legend.set_bbox_to_anchor((corner.x0, corner.y0), transform=drawing.transFigure)


def _circumstances(outcome: Outcome, command: str) -> dict[str, Any]:
    found = {**versions(), **machine()}
    shown: dict[str, Any] = {"command": command}
    for ran in outcome.ran:
        seconds = ran.table.loc[ran.table["measure"] == "seconds", "value"].sum()
        trials = ran.table[["arm", "seed"]].drop_duplicates()
        shown[ran.study.name] = " ".join(
            [f"{len(trials)} trials, {seconds:.0f} s of training in them.", *throughput(ran.table)]
        )
    return {**shown, **found}


def _page(
    reproduction: Reproduction,
    outcome: Outcome,
    blocks: Sequence[Block],
    left: Sequence[str],
    circumstances: Mapping[str, Any],
) -> str:
    return (
        environment(Path(__file__).parent)
        .get_template(PAGE)
        .render(
            title=f"{reproduction.paper.short}, {reproduction.title[:1].lower()}{reproduction.title[1:]}",
            shows=f"{reproduction.shows[:1].upper()}{reproduction.shows[1:]}.",
            paper=reproduction.paper,
            scale_line=scale_line(outcome.scale),
            deviations=left,
            unfinished=outcome.unfinished,
            failures=outcome.failures,
            blocks=blocks,
            circumstances=circumstances,
        )
    )
