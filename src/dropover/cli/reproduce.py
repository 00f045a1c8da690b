"""`dropover reproduce`: a table or figure of one of the papers, ours beside theirs."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dropover.cli.ending import RESULTS, fail, failures_told, stopped, stops_told

if TYPE_CHECKING:
    from rich.console import Console

    from dropover.lab.reproductions import Reproduction
    from dropover.lab.reproductions.parts.studies import Evidence
    from dropover.lab.running.runner import Listener
    from dropover.lab.study import Study


def reproduce(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which table or figure; see --list.")] = None,
    scale: Annotated[
        Literal["smoke", "laptop", "paper"],
        typer.Option(help="A minute; under an hour on two cores; or the full setting, for a GPU."),
    ] = "laptop",
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="Run N seeds instead of the scale's.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes, of one thread each. [default: one a core]")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where nets, trials and NAME/ go. [default: results/reproduce/SCALE]"),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the names and what they show.")] = False,
) -> None:
    """Reproduce a table or figure of the papers, at any scale.

    Trains what is needed and is not there yet, and writes the paper's own table or figure with ours beside the printed
    figures: a page, SVG, PDF, PNG and CSV. Nets are shared between names. Ctrl-C keeps what is finished and draws it,
    marked as partial, and the same command goes on from there.
    """
    from rich.console import Console

    console = Console()
    if list_:
        _list(console)
    elif name is None:
        fail("which table or figure? `dropover reproduce --list` lists them")
    else:
        _run(console, _known(name), scale, seeds, jobs, out or RESULTS / "reproduce" / scale)


def _list(console: "Console") -> None:
    from rich.table import Table

    from dropover.lab.reproductions import REPRODUCTIONS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "paper", "what it shows", "studies"):
        table.add_column(column, no_wrap=column != "what it shows")
    for each in REPRODUCTIONS:
        files = dict.fromkeys(request.file for request in each.requests("laptop"))
        table.add_row(each.name, f"{each.paper.short}, {each.title}", each.shows, ", ".join(files))
    console.print(table)


def _known(name: str) -> "Reproduction":
    from dropover.lab.reproductions import REPRODUCTIONS
    from dropover.registry import UnknownNameError

    try:
        return REPRODUCTIONS.get(name)
    except UnknownNameError as error:
        fail(str(error))


def _run(
    console: "Console",
    reproduction: "Reproduction",
    scale: Literal["smoke", "laptop", "paper"],
    seeds: int | None,
    jobs: int | None,
    store: Path,
) -> None:
    from dropover.cli.live import Live
    from dropover.lab.data import DataError
    from dropover.lab.machine import usable_cores
    from dropover.lab.reproductions.parts.running import plan, run
    from dropover.lab.running.study_file import StudyError

    workers = jobs or usable_cores()
    command = shlex.join(["dropover", *sys.argv[1:]])
    goes_on = f"The same command goes on from there: {command}"
    folder = store / reproduction.name

    @contextmanager
    def watched(study: "Study", number: int, count: int) -> "Iterator[Listener]":
        if count > 1:
            console.print(f"Study {number} of {count}", style="bold", highlight=False)
        with Live(console, study, workers) as live:
            yield live.see

    with stops_told(f"Stopped: what is finished is kept. {goes_on}"), failures_told(folder, StudyError, DataError):
        planned = plan(reproduction, scale, seeds)
        for line in planned.missing:
            typer.echo(f"Left out, for want of the images: {line}", err=True)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(planned, scale, store, folder, workers, watched)
        for line in outcome.failures:
            typer.echo(line, err=True)
        page = _write(console, reproduction, outcome, folder, command) if outcome.runs else None
        _leave(outcome, page, goes_on)


def _write(console: "Console", reproduction: "Reproduction", outcome: "Evidence", folder: Path, command: str) -> Path:
    """Draw what there is, print it, and return where the page is."""
    from dropover.cli.paper_table import show
    from dropover.lab.reproductions.parts.writing import write_reproduction

    items = reproduction.draw(outcome)
    files = write_reproduction(folder, reproduction, outcome, items, command)
    show(console, reproduction, outcome, items)
    typer.echo(f"Written: {', '.join(str(file) for file in files)}")
    return files[0]


def _leave(outcome: "Evidence", page: Path | None, goes_on: str) -> None:
    """Say what is not whole, if anything is not, and exit accordingly."""
    partial = f"the page is partial: {page}" if page else "there is nothing to draw: no trial is finished"
    there = "; ".join(outcome.unfinished)
    if outcome.stop is not None:
        told = f"{there}. What is finished is kept, and {partial}." if there else f"all is finished: {page}."
        stopped(outcome.stop, f"Stopped: {told} {goes_on}")
    if there:
        fail(f"{there}; {partial}", code=1)
