"""`dropover compare`: run a study and say what came of it."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from dropover.lab.runner import Outcome
    from dropover.lab.study import Study

INTERRUPTED = 130


def compare(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY.toml", help="A study file. Without one, the built-in study of MNIST runs."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="Run N seeds instead of the file's.")] = None,
    scale: Annotated[
        Literal["smoke", "laptop", "paper"] | None, typer.Option(help="Which of the file's scales. [default: its own]")
    ] = None,
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="Which of the file's variants, if any.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes, of one thread each. [default: one a core]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where results go. [default: results/NAME of the study]")
    ] = None,
) -> None:
    """Train a network under several regularisers and compare them.

    Compares clean accuracy, accuracy under noise and under attack, and says what the seeds can and can't tell. Writes
    results.csv, study.toml and report.html. Ctrl-C keeps what is finished, and the same command goes on from there.
    """
    # Imported here, so that --help doesn't wait for torch.
    from rich.console import Console

    from dropover.lab.data import described
    from dropover.lab.data.loading import load_data
    from dropover.lab.machine import usable_cores
    from dropover.lab.runner import run_study

    checked = _load(study, seeds, scale, variant)
    folder = out or Path("results") / "-".join(filter(None, (checked.name, variant)))
    workers = jobs or usable_cores()
    console = Console()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        from dropover.cli.live import Live

        typer.echo(described(load_data(checked.data), checked.data.name))
        with Live(console, checked, workers) as live:
            outcome = run_study(checked, folder, workers, live.see)
        _finish(console, checked, folder, outcome, workers)
    except OSError as error:
        _fail(f"{error.filename or folder}: can't be written ({error.strerror or error})")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _load(name: str | None, seeds: int | None, scale: str | None = None, variant: str | None = None) -> "Study":
    """The study file, or the built-in study of that name; what is wrong with it goes to stderr, a line each."""
    from dropover.lab.study_file import BUILT_IN, StudyError, built_in_path, load_study

    path = built_in_path(BUILT_IN if name is None else name)
    if name is not None and (Path(name).is_file() or not path.is_file()):
        path = Path(name)
    try:
        return load_study(path, seeds, scale, variant)
    except StudyError as error:
        _fail(str(error))


def _finish(console: "Console", study: "Study", folder: Path, outcome: "Outcome", jobs: int) -> None:
    """Write the files, print the table and what to make of it, and leave with the right exit code."""
    from dropover.cli.table import show
    from dropover.lab.report.files import write_files
    from dropover.lab.results import table_of

    command = shlex.join(["dropover", *sys.argv[1:]])
    circumstances = write_files(folder, study, outcome, jobs, command)
    if outcome.finished:
        show(console, table_of(outcome.finished, study), study, circumstances.counts["attacked"])
    for failed in outcome.failed:
        typer.echo(f"{failed.trial.label}: {failed.reason}", err=True)
    files = ["report.html", "results.csv", "study.toml"] if outcome.finished else ["results.csv", "study.toml"]
    typer.echo(f"Written: {', '.join(str(folder / file) for file in files)}")
    if outcome.interrupted:
        typer.echo(
            f"Stopped: {len(outcome.finished)} of {outcome.total} trials are finished and kept. "
            f"The same command goes on from there: {command}",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)
    if outcome.failed:
        typer.echo(f"{len(outcome.failed)} of {outcome.total} trials failed; the others are in the report.", err=True)
        raise typer.Exit(1)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
