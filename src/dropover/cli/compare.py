"""`dropover compare`: run a study and say what came of it."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dropover.cli.ending import RESULTS, fail, failures_told, stopped, stops_told

if TYPE_CHECKING:
    from rich.console import Console

    from dropover.lab.running.runner import StudyRun
    from dropover.lab.study import Study


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

    from dropover.lab.data import DataError
    from dropover.lab.machine import usable_cores
    from dropover.lab.running.study_file import StudyError, try_out

    command = shlex.join(["dropover", *sys.argv[1:]])
    with failures_told(RESULTS, StudyError):
        path = _path_of(study)
        asked = _load(path, seeds, scale, variant)
    folder = out or RESULTS / "-".join(filter(None, (asked.name, variant)))
    with (
        stops_told(f"Stopped: what is finished is kept. {_goes_on(command)}"),
        failures_told(folder, StudyError, DataError),
    ):
        try_out(asked, str(path))
        _run(Console(), asked, folder, jobs or usable_cores(), command)


def _path_of(name: str | None) -> Path:
    """The study file that is meant: one on disk, else the built-in one of that name."""
    from dropover.lab.running.study_file import BUILT_IN, built_in_path

    path = built_in_path(BUILT_IN if name is None else name)
    return Path(name) if name is not None and (Path(name).is_file() or not path.is_file()) else path


def _load(path: Path, seeds: int | None = None, scale: str | None = None, variant: str | None = None) -> "Study":
    """What a study file asks for, not tried out yet: first its name says where errors of the user's code are kept."""
    from dropover.lab.running.study_file import read_study, well_formed

    raw = read_study(path, scale, variant)
    return well_formed(raw if seeds is None else {**raw, "seeds": seeds}, str(path))


def _run(console: "Console", study: "Study", folder: Path, jobs: int, command: str) -> None:
    """Run a study that has been tried out, and leave with the right exit code."""
    from dropover.cli.live import Live
    from dropover.lab.data import described
    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.running.runner import run_study

    folder.mkdir(parents=True, exist_ok=True)
    typer.echo(described(load_data(study.data), study.data.name))
    with Live(console, study, jobs) as live:
        outcome = run_study(study, folder, jobs, live.see)
    finished = f"{len(outcome.finished)} of {outcome.total} trials are finished and kept"
    with stops_told(f"Stopped while the results were written: {finished}. {_goes_on(command)}"):
        _write(console, study, folder, outcome, jobs, command)
    if outcome.printed is not None:
        typer.echo(f"What trials printed is in {outcome.printed}")
    if outcome.stop is not None:
        stopped(outcome.stop, f"Stopped: {finished}. {_goes_on(command)}")
    if outcome.failed:
        others = "; the others are in the report." if outcome.finished else ": there is nothing to report"
        fail(f"{len(outcome.failed)} of {outcome.total} trials failed{others}", code=1)


def _write(console: "Console", study: "Study", folder: Path, outcome: "StudyRun", jobs: int, command: str) -> None:
    """Write the files, print the table and what to make of it, and each failed trial."""
    from dropover.cli.table import show
    from dropover.lab.records.store import table_of
    from dropover.lab.report.files import write_files

    circumstances = write_files(folder, study, outcome, jobs, command)
    if outcome.finished:
        show(console, table_of(outcome.finished, study), study, circumstances.counts["attacked"])
    for failed in outcome.failed:
        typer.echo(f"{failed.trial.label}: {failed.reason}", err=True)
    files = ["report.html", "results.csv", "study.toml"] if outcome.finished else ["results.csv", "study.toml"]
    typer.echo(f"Written: {', '.join(str(folder / file) for file in files)}")


def _goes_on(command: str) -> str:
    return f"The same command goes on from there: {command}"
