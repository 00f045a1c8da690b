"""`dropover reproduce`: a table or figure of one of the papers, ours beside theirs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, command_line, fail, failures_told, goes_on, stopped, stops_told
from dropover.cli.options import (
    Address,
    CpusPerTrial,
    Device,
    Engine,
    GpusPerTrial,
    Jobs,
    Log,
    Precision,
    RetryFailed,
    Scale,
    directory,
    number,
)

if TYPE_CHECKING:
    from dropover.lab.boards import Board
    from dropover.lab.reproductions import Reproduction
    from dropover.lab.reproductions.parts.running import Plan
    from dropover.lab.reproductions.parts.studies import Evidence
    from dropover.lab.running.engines.choosing import Choice
    from dropover.lab.running.events import Listener
    from dropover.lab.study import Study


def reproduce(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which table or figure; see --list.")] = None,
    scale: Annotated[
        Scale, typer.Option(help="A minute; under an hour on two cores; or the full setting, for a GPU.")
    ] = "laptop",
    seeds: Annotated[int | None, number("Run N seeds instead of the scale's.")] = None,
    jobs: Jobs = None,
    engine: Engine = "local",
    address: Address = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    device: Device = None,
    precision: Precision = None,
    out: Annotated[
        Path | None, directory("Where nets, trials and NAME/ go. [default: results/reproduce/SCALE]")
    ] = None,
    retry_failed: RetryFailed = False,
    log: Log = None,
    list_: Annotated[bool, typer.Option("--list", help="List the names and what they show.")] = False,
) -> None:
    """Reproduce a table or figure of the papers, at any scale.

    Trains what is needed and is not there yet, and writes the paper's own table or figure with ours beside the printed
    figures: a page, SVG, PDF, PNG and CSV. Nets are shared between names. Ctrl-C keeps what is finished and draws it,
    marked as partial, and the same command goes on from there.
    """
    from dropover.lab.reproductions import REPRODUCTIONS

    if list_:
        _list()
    elif name is None:
        fail("which table or figure? `dropover reproduce --list` lists them")
    else:
        from dropover.lab.boards import MissingExtraError, boards_named
        from dropover.registry import UnknownNameError

        with failures_told(RESULTS, UnknownNameError, MissingExtraError):
            reproduction = REPRODUCTIONS.get(name)
            boards = boards_named(log or ())
        from dropover.lab.reproductions.parts.running import plan
        from dropover.lab.running.engines import EngineError
        from dropover.lab.running.engines.choosing import Choice

        with failures_told(RESULTS, EngineError):
            choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs)
            there = choice.device(device or "auto")
        planning = partial(plan, reproduction, scale, seeds, there, precision or "fp32", elsewhere=choice.is_ray)
        _run(reproduction, scale, planning, choice, out or RESULTS / "reproduce" / scale, retry_failed, boards)


def _list() -> None:
    from dropover.lab.reproductions import REPRODUCTIONS
    from dropover.lab.telling.terminal import print_list

    rows = []
    for each in REPRODUCTIONS:
        files = dict.fromkeys(request.file for request in each.requests("laptop"))
        rows.append((each.name, f"{each.paper.short}, {each.title}", each.shows, ", ".join(files)))
    print_list(("name", "paper", "what it shows", "studies"), rows, wrap=("what it shows",))


def _run(
    reproduction: "Reproduction",
    scale: Scale,
    planning: "Callable[[], Plan]",
    choice: "Choice",
    store: Path,
    retry_failed: bool,
    boards: "list[Board]",
) -> None:
    from dropover.cli.paper_table import show
    from dropover.lab.data import DataError
    from dropover.lab.reproductions.parts.reproducing import carry_out
    from dropover.lab.running.engines import EngineError
    from dropover.lab.running.study_file import StudyError
    from dropover.lab.telling.live import live
    from dropover.lab.telling.terminal import say

    folder = store / reproduction.name
    with (
        stops_told(f"Stopped: what is finished is kept. {goes_on()}"),
        failures_told(folder, StudyError, DataError, EngineError),
    ):
        planned = planning()
        for line in planned.missing:
            typer.echo(f"Left out, for want of the images: {line}", err=True)
        with choice.opened(planned.all) as (engine, jobs):

            def watched(study: "Study", number: int, count: int) -> AbstractContextManager["Listener"]:
                if count > 1:
                    say(f"Study {number} of {count}", "bold")
                return live(study, jobs, on=choice.words)

            made = carry_out(
                reproduction, planned, scale, store, jobs, watched, command_line(), retry_failed, boards, say, engine
            )
        for line in made.evidence.failures:
            typer.echo(line, err=True)
        if made.files:
            show(reproduction, made.evidence, made.items)
            typer.echo(f"Written: {', '.join(map(str, made.files))}")
        _leave(made.evidence, made.files[0] if made.files else None)


def _leave(outcome: "Evidence", page: Path | None) -> None:
    """Say what is not whole, if anything is not, and exit accordingly."""
    partial = f"the page is partial: {page}" if page else "there is nothing to draw: no trial is finished"
    unfinished = "; ".join(outcome.unfinished)
    if outcome.stop is not None:
        state = f"{unfinished}. What is finished is kept, and {partial}." if unfinished else f"all is finished: {page}."
        stopped(outcome.stop, f"Stopped: {state} {goes_on()}")
    if unfinished:
        fail(f"{unfinished}; {partial}", code=1)
