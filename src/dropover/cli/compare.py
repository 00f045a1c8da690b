"""`dropover compare`: run a study and say what came of it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, command_line, fail, failures_told, goes_on, stopped, stops_told
from dropover.cli.options import (
    Address,
    CpusPerTrial,
    Device,
    DevicesPerTrial,
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
from dropover.cli.until import check_options, limits_of

if TYPE_CHECKING:
    from dropover.lab.boards import Board
    from dropover.lab.growing import Limits
    from dropover.lab.running.engines.choosing import Choice
    from dropover.lab.study import Study


def compare(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY.toml", help="A study file. Without one, the built-in study of MNIST runs."),
    ] = None,
    seeds: Annotated[int | None, number("Run N seeds instead of the file's.")] = None,
    scale: Annotated[Scale | None, typer.Option(help="Which of the file's scales. [default: its own]")] = None,
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="Which of the file's variants, if any.")] = None,
    jobs: Jobs = None,
    engine: Engine = "local",
    address: Address = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    device: Device = None,
    devices_per_trial: DevicesPerTrial = None,
    precision: Precision = None,
    out: Annotated[Path | None, directory("Where results go. [default: results/NAME of the study]")] = None,
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="Add seeds where they are needed, until every arm is decided.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Arms this close are level. [default: the study's, 0.5 if it has none]"),
    ] = None,
    max_seeds: Annotated[int | None, typer.Option(metavar="N", help="Add seeds up to N an arm. [default: 30]")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no trial after 90s, 45m, 2h. [default: no limit]")
    ] = None,
    retry_failed: RetryFailed = False,
    log: Log = None,
) -> None:
    """Train a network under several regularizers and compare them.

    Compares clean accuracy, accuracy under noise and under attack, and says what the seeds can and can't tell. Writes
    report.html, verdicts.csv, results.csv and study.toml. Ctrl-C keeps what is finished and what is trained, and the
    same command goes on from there.

    With --until-decided a study begins with three seeds, and arms that are undecided get more, and so does the
    reference. The looks at the results share the false alarms that are allowed, so that verdicts hold over all looks.
    """
    # Imported here, so that --help doesn't wait for torch.
    from dropover.lab.boards import MissingExtraError, boards_named
    from dropover.lab.data import DataError
    from dropover.lab.running.engines import EngineError
    from dropover.lab.running.engines.choosing import Choice
    from dropover.lab.running.study_file import StudyError, try_out
    from dropover.registry import UnknownNameError

    check_options(until_decided, seeds, margin, max_seeds=max_seeds, budget=budget)
    with failures_told(RESULTS, StudyError, EngineError, MissingExtraError, UnknownNameError):
        boards = boards_named(log or ())
        choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs)
        options = {"seeds": seeds, "margin": margin, "device": device, "precision": precision}
        settings, path = _load(study, scale, variant, devices_per_trial=devices_per_trial, **options)
        settings = choice.placed(settings)
    limits = limits_of(settings, path, max_seeds, budget) if until_decided else None
    results = out or RESULTS / "-".join(filter(None, (settings.name, variant)))
    with (
        stops_told(f"Stopped: what is finished is kept. {goes_on()}"),
        failures_told(results, StudyError, DataError, EngineError),
    ):
        try_out(settings, str(path), elsewhere=choice.is_ray)
        _run(settings, results, choice, limits, retry_failed, boards)


def _load(
    name: str | None, scale: str | None = None, variant: str | None = None, **options: object
) -> "tuple[Study, Path]":
    """A study of a file on disk, else of the built-in one of that name, not tried out yet; and its file.

    Its name alone says where errors of the user's code are kept. Options that are given replace keys of the file.
    """
    from dropover.lab.running.study_file import BUILT_IN, built_in_path, read_study, well_formed

    built_in = built_in_path(BUILT_IN if name is None else name)
    path = Path(name) if name is not None and (Path(name).is_file() or not built_in.is_file()) else built_in
    given = {key: value for key, value in options.items() if value is not None}
    return well_formed({**read_study(path, scale, variant), **given}, str(path)), path


def _run(
    study: "Study",
    results: Path,
    choice: "Choice",
    limits: "Limits | None",
    retry_failed: bool,
    boards: "list[Board]",
) -> None:
    """Run a study that has been tried out, write its files, print the answer, and leave with the right exit code.

    It runs as it is, or grows within limits.
    """
    from dropover.lab.comparing import run
    from dropover.lab.data import described
    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.telling.live import live
    from dropover.lab.telling.table import show
    from dropover.lab.telling.terminal import say

    if study.trial is None:
        typer.echo(described(load_data(study.data), study.data.name))
    view = partial(live, on=choice.words)
    with choice.opened([study]) as (engine, jobs):
        result = run(study, results, jobs, view, say, limits, command_line(), retry_failed, boards, engine)
    outcome = result.run
    more = f", and {outcome.under_way} more as far as had been trained" if outcome.under_way else ""
    kept = f"{len(outcome.finished)} of {outcome.total} trials are finished and kept{more}"
    with stops_told(f"Stopped while the results were written: {kept}. {goes_on()}"):
        files = result.save(results)
        if result.answer is not None:
            show(result.answer)
        for label, reason in result.failed.items():
            typer.echo(f"{label}: {reason}", err=True)
        typer.echo(f"Written: {', '.join(map(str, files))}")
    if outcome.printed is not None:
        typer.echo(f"What trials printed is in {outcome.printed}")
    if outcome.stop is not None:
        stopped(outcome.stop, f"Stopped: {kept}. {goes_on()}")
    if outcome.failed:
        others = "; the others are in the report." if result.answer is not None else ": there is nothing to report"
        fail(f"{len(outcome.failed)} of {outcome.total} trials failed{others}", code=1)
