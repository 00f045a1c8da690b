"""A reproduction's files: each table and picture as SVG, PDF, PNG and CSV, and the page with all of them."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Drawing

from dropover.lab.judging.verdicts import throughput
from dropover.lab.machine import machine, versions
from dropover.lab.pictures.style import INK, embedded, save, styled
from dropover.lab.records.files import write_text
from dropover.lab.report.templates import environment
from dropover.lab.reproductions.parts.claims import Claims
from dropover.lab.reproductions.parts.deviations import deviations, scale_line
from dropover.lab.reproductions.parts.items import Cell, Illustration, Item, Table
from dropover.lab.reproductions.parts.reproduction import Reproduction
from dropover.lab.reproductions.parts.studies import Evidence
from dropover.lab.reproductions.parts.table_drawing import draw_table

PAGE = "page.html"
_NOTE_SIZE = 6.0
# Mean width of a letter of the figures' font, in its size.
_NOTE_LETTER = 0.55


def write_reproduction(
    folder: Path, reproduction: Reproduction, evidence: Evidence, items: Sequence[Item], command: str
) -> list[Path]:
    """Write what was drawn from a reproduction's evidence below `folder`, which exists; returns the files, page first.

    `command` is the one that ran it, as a reader would type it.
    """
    differences = deviations(reproduction, evidence)
    notes = [*(f"PARTIAL: {line}." for line in evidence.unfinished), scale_line(evidence.scale), *differences]
    written = [folder / PAGE]
    blocks = []
    for item in items:
        files = _files(folder, item, notes)
        written += files
        svg = embedded(files[0]) if isinstance(item, Illustration) else ""
        names = [file.name for file in files]
        blocks.append({"item": item, "kind": type(item).__name__.lower(), "files": names, "svg": svg})
    page = environment(Path(__file__).parent).get_template(PAGE)
    text = page.render(
        title=f"{reproduction.paper.short}, {reproduction.title[:1].lower()}{reproduction.title[1:]}",
        shows=f"{reproduction.shows[:1].upper()}{reproduction.shows[1:]}.",
        paper=reproduction.paper,
        scale_line=scale_line(evidence.scale),
        deviations=differences,
        unfinished=evidence.unfinished,
        failures=evidence.failures,
        blocks=blocks,
        circumstances=_circumstances(evidence, command),
    )
    write_text(folder / PAGE, text)
    return written


def _files(folder: Path, item: Item, notes: Sequence[str]) -> list[Path]:
    """Write an item's own files: the data last, and before it, if it is drawn, the drawing."""
    stem, csv = folder / item.name, folder / f"{item.name}.csv"
    if isinstance(item, Claims):
        drawings, data = [], pd.DataFrame([vars(claim) for claim in item.claims], columns=["text", "verdict", "ours"])
    elif isinstance(item, Table):
        drawings, data = save(draw_table(item, notes), stem), _table_data(item)
    else:
        drawings, data = _save_with_notes(item.drawing, notes, stem), item.data
    write_text(csv, data.to_csv(index=False, lineterminator="\n"))
    return [*drawings, csv]


def _table_data(table: Table) -> pd.DataFrame:
    """A table as rows: one for each cell that holds anything, figures in percent."""
    return pd.DataFrame(
        [
            {"row": " / ".join(filter(None, line.heads)), "column": column, **_cell_data(cell)}
            for line in table.lines
            for column, cell in zip(table.columns, line.cells, strict=True)
        ]
    )


def _cell_data(cell: Cell) -> dict[str, float | str | None]:
    ours, printed = cell.ours, cell.printed
    difference = ours.difference if ours else None

    def percent(share: float | None) -> float | None:
        return None if share is None else 100 * share

    return {
        "ours": percent(ours.mean) if ours else None,
        "spread": percent(ours.spread) if ours else None,
        "seeds": len(ours.values) if ours else None,
        "paper": printed.mean if printed else None,
        "paper_spread": printed.spread if printed else None,
        "text": cell.text or None,
        "difference": percent(difference.mean) if difference else None,
        "difference_low": percent(difference.low) if difference else None,
        "difference_high": percent(difference.high) if difference else None,
        "p_student": ours.p_student if ours else None,
        "p_exact": ours.p_exact if ours else None,
        "p_holm": ours.p_holm if ours else None,
    }


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


def _circumstances(evidence: Evidence, command: str) -> dict[str, str | int]:
    studies = {}
    for run in evidence.runs:
        seconds = f"{len(run.trials)} trials, {run.rows('seconds')['value'].sum():.0f} s of training in them."
        studies[run.study.name] = " ".join([seconds, *throughput(run.table)])
    return {"command": command, **studies, **versions(), **machine()}
