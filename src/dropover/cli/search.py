"""`dropover search`: find which regularizer helps, where and how strongly."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dropover.cli.ending import RESULTS, command_line, fail, failures_told, goes_on, stopped, stops_told
from dropover.cli.options import (
    Address,
    CpusPerTrial,
    Device,
    Engine,
    GpusPerTrial,
    Jobs,
    RetryFailed,
    Scale,
    directory,
)


def search(
    study: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="A study file with a table [search].")],
    scale: Annotated[Scale | None, typer.Option(help="Which of the file's scales. [default: its own]")] = None,
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="Which of the file's variants, if any.")] = None,
    jobs: Jobs = None,
    engine: Engine = "local",
    address: Address = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    device: Device = None,
    out: Annotated[Path | None, directory("Where results go. [default: results/NAME of the study]")] = None,
    retry_failed: RetryFailed = False,
) -> None:
    """Find which regularizer helps, where and how strongly, for this net and these data.

    Proposes arms and trains them, gives more seeds to those that may be best, and chooses by validation images alone.
    Test images are read once: the best are trained again on fresh seeds, beside no regularizer and each method as
    published. Writes search.html, trials.csv, front.csv, and a study file for each winner. Ctrl-C keeps what is
    finished, and the same command goes on from there.
    """
    # Imported here, so that --help doesn't wait for torch.
    from dropover.lab.boards import MissingExtraError
    from dropover.lab.data import DataError
    from dropover.lab.running.engines import EngineError
    from dropover.lab.running.engines.choosing import Choice
    from dropover.lab.running.study_file import StudyError
    from dropover.lab.searching.reading import read_search
    from dropover.lab.searching.settings import SearchError
    from dropover.lab.seeking import check_extra, run
    from dropover.lab.telling.live import live
    from dropover.lab.telling.terminal import say

    with failures_told(RESULTS, StudyError, EngineError, MissingExtraError):
        check_extra()
        choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs)
        file = read_search(study, scale, variant, **({} if device is None else {"device": device}))
    results = out or RESULTS / "-".join(filter(None, (file.study.name, variant)))
    with (
        stops_told(f"Stopped: what is finished is kept. {goes_on()}"),
        failures_told(results, StudyError, DataError, EngineError, SearchError),
    ):
        view = partial(live, on=choice.words)
        searched = run(file, str(study), results, choice, view, partial(say, wrap=False), command_line(), retry_failed)
        files = searched.save(command_line())
    for line in searched.lines:
        typer.echo(line)
    typer.echo(f"Written: {', '.join(map(str, files))}")
    end = searched.found.run if searched.end is None else searched.end.run
    if end.stop is not None:
        stopped(end.stop, f"Stopped: what is finished is kept. {goes_on()}")
    if searched.end is not None and end.failed:
        fail(f"{len(end.failed)} of {end.total} trials of the end failed; the others are in the report.", code=1)
