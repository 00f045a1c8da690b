"""`dropover reproduce`: a table or figure of one of the papers, ours beside theirs."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dropover.lab.reproductions import Reproduction
    from dropover.lab.runner import Listener
    from dropover.lab.study import Study

INTERRUPTED = 130


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
    figures: a page, SVG, PDF, PNG and CSV. Nets are shared between names. Ctrl-C keeps what is finished, and the same
    command goes on from there.
    """
    from rich.console import Console

    console = Console()
    if list_:
        _list(console)
    elif name is None:
        _fail("which table or figure? `dropover reproduce --list` lists them")
    else:
        _run(console, _known(name), scale, seeds, jobs, out or Path("results") / "reproduce" / scale)


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
        _fail(str(error))


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
    from dropover.lab.reproductions.parts.running import Stopped, failures, nothing_finished, plan, run
    from dropover.lab.study_file import StudyError

    workers = jobs or usable_cores()
    command = shlex.join(["dropover", *sys.argv[1:]])

    @contextmanager
    def watched(study: "Study", number: int, count: int) -> "Iterator[Listener]":
        if count > 1:
            console.print(f"Study {number} of {count}", style="bold", highlight=False)
        with Live(console, study, workers) as live:
            yield live.see

    try:
        planned = plan(reproduction, scale, seeds)
        for line in planned.missing:
            typer.echo(f"Left out, for want of the images: {line}", err=True)
        folder = store / reproduction.name
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(planned, scale, store, folder, workers, watched)
        if isinstance(outcome, Stopped):
            typer.echo(
                f"Stopped: {outcome.finished} of {outcome.total} trials of {outcome.study} are finished and kept. "
                f"The same command goes on from there: {command}",
                err=True,
            )
            raise typer.Exit(INTERRUPTED)
        failed = list(failures(outcome))
        if nothing_finished(outcome):
            _fail("\n".join([*failed, "nothing to draw: no trial is finished"]), code=1)
        _write(console, reproduction, outcome, folder, command)
    except (StudyError, DataError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or store}: can't be written ({error.strerror or error})")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    if failed:
        _fail("\n".join([*failed, f"{len(failed)} trials failed and are left out"]), code=1)


def _write(console: "Console", reproduction: "Reproduction", outcome: object, folder: Path, command: str) -> None:
    from dropover.cli.paper_table import show
    from dropover.lab.report.paper.writing import write_reproduction
    from dropover.lab.reproductions.parts.outcome import Outcome

    assert isinstance(outcome, Outcome)
    items = reproduction.draw(outcome)
    files = write_reproduction(folder, reproduction, outcome, items, command)
    show(console, reproduction, outcome, items)
    typer.echo(f"Written: {', '.join(str(file) for file in files)}")


def _fail(message: str, code: int = 2) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
