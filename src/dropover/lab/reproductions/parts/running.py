"""The studies that a reproduction asks for, found and run, with nets and trials shared by all that ask for the same."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dropover.lab.boards import Board
from dropover.lab.boards.parts.feeding import on_boards
from dropover.lab.data import DataError
from dropover.lab.data.parts.loading import content_of
from dropover.lab.records.checkpoints import Pace
from dropover.lab.records.files import write_text
from dropover.lab.records.labels import labelled
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import table_of, write_table
from dropover.lab.report.files import study_text
from dropover.lab.reproductions.parts.reproduction import Reproduction
from dropover.lab.reproductions.parts.studies import Evidence, Request, Run
from dropover.lab.running.calling import run_trial
from dropover.lab.running.engines import Engine
from dropover.lab.running.events import Listener
from dropover.lab.running.runner import PROCESSES, run_study
from dropover.lab.study import DataSettings, Scale, Study

NETS = "nets"
"""The folder of trained nets, beside the folders of the names."""


@dataclass(frozen=True)
class Plan:
    """The studies that can run here, and a line for each data set that is not."""

    studies: list[tuple[Request, Study]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Study]:
        """The studies alone."""
        return [study for _, study in self.studies]


def plan(
    reproduction: Reproduction,
    scale: Scale,
    seeds: int | None = None,
    device: str = "auto",
    precision: str = "fp32",
    *,
    elsewhere: bool = False,
) -> Plan:
    """Find and check everything that a reproduction needs, before anything is trained, be it here or `elsewhere`.

    Raises:
        StudyError: a study can't be run. One line for each problem.
        DataError: none of the data sets is here.
    """
    here = Plan()
    for request in reproduction.requests(scale):
        raw = request.raw(scale, seeds)
        try:
            # Their digest is remembered: a later study's trials are known without reading its images again.
            content_of(DataSettings.model_validate(raw.get("data", {})))
        except DataError as error:
            line = f"{raw['data']['name']}: {error}"
            if line not in here.missing:
                here.missing.append(line)
        else:
            study = request.study(scale, seeds, device, precision, elsewhere=elsewhere)
            here.studies.append((request, study))
    if not here.studies:
        raise DataError("\n".join(here.missing))
    return here


def run(
    planned: Plan,
    scale: Scale,
    store: Path,
    folder: Path,
    jobs: int,
    watched: Callable[[Study, int, int], AbstractContextManager[Listener]],
    retry_failed: bool = False,
    boards: Sequence[Board] = (),
    tell: Callable[[str], object] = lambda _line: None,
    engine: Engine = PROCESSES,
) -> Evidence:
    """Run what is planned and not there yet. Where that is stopped, what there is of each study is taken as it is.

    Args:
        planned: What `plan` gave for this scale.
        scale: That scale.
        store: Where trials and trained nets are kept for every name.
        folder: Where this name's files go: each study's rows and settings in a folder of its own.
        jobs: How many trials run at a time.
        watched: Called with each study, its number from 1 and their count; gives what listens to its run.
        retry_failed: Whether trials are tried again that failed in an earlier run.
        boards: Where each study is shown besides.
        tell: Is told in a line what a board says at the end.
        engine: What runs them.
    """
    evidence = Evidence(scale, missing=planned.missing)
    for number, (request, study) in enumerate(planned.studies, start=1):
        if request.images_only:
            evidence.take(Run(request, study, table_of([], study), store / NETS))
            continue
        rows, failures = folder / request.name, []
        try:
            if evidence.stop is not None:
                raise evidence.stop
            with (
                on_boards(boards, study, rows, tell) as beside,
                watched(study, number, len(planned.studies)) as listener,
            ):
                there = store.absolute()  # workers elsewhere have another current directory
                trial = partial(run_trial, nets=there / NETS, results=there, pace=Pace())
                heard = beside(listener)
                done = run_study(study, rows, jobs, heard, trial, store, retry_failed=retry_failed, engine=engine)
            finished, evidence.stop = done.finished, done.stop
            failures = [f"{failed.trial.label}: {failed.reason}" for failed in done.failed]
        except KeyboardInterrupt as stop:
            finished, evidence.stop = take_stock(store, study).finished, stop
        table = table_of(finished, study)
        if finished:
            write_table(table, rows / "results.csv")
            write_text(rows / "study.toml", study_text(study, {}))
        evidence.take(Run(request, study, labelled(table), store / NETS, failures))
    return evidence
