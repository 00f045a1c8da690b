"""The studies that a reproduction asks for, found and run, with nets and trials shared by all that ask for the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dropover.lab.data import DataError
from dropover.lab.data.parts.loading import content_of
from dropover.lab.records.files import write_text
from dropover.lab.records.labels import labelled
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import table_of, write_table
from dropover.lab.report.files import study_text
from dropover.lab.reproductions import Reproduction
from dropover.lab.reproductions.parts.outcome import Outcome, Ran
from dropover.lab.reproductions.parts.request import Request
from dropover.lab.running.runner import Listener, run_study
from dropover.lab.running.trial import run_trial
from dropover.lab.study import DataSettings, Scale, Study

NETS = "nets"
"""The folder of trained nets, beside the folders of the names."""


@dataclass(frozen=True)
class Planned:
    """The studies that can run here, and a line for each data set that is not."""

    studies: list[tuple[Request, Study]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def plan(reproduction: Reproduction, scale: Scale, seeds: int | None = None) -> Planned:
    """Find and check everything that a reproduction needs, before anything is trained.

    Raises:
        StudyError: a study can't be run. One line for each problem.
        DataError: none of the data sets is here.
    """
    planned = Planned()
    for request in reproduction.requests(scale):
        raw = request.raw(scale, seeds)
        try:
            # Their digest is remembered: a later study's trials are known without reading its images again.
            content_of(DataSettings.model_validate(raw.get("data", {})))
        except DataError as error:
            line = f"{raw['data']['name']}: {error}"
            if line not in planned.missing:
                planned.missing.append(line)
        else:
            planned.studies.append((request, request.study(scale, seeds)))
    if not planned.studies:
        raise DataError("\n".join(planned.missing))
    return planned


def run(
    planned: Planned,
    scale: Scale,
    store: Path,
    folder: Path,
    jobs: int,
    watched: Callable[[Study, int, int], AbstractContextManager[Listener]],
) -> Outcome:
    """Run what is planned and not there yet. Where that is stopped, what there is of each study is taken as it is.

    Args:
        planned: What `plan` found.
        scale: The scale that it was planned for.
        store: Where trials and trained nets are kept for every name.
        folder: Where this name's own files go: each study's rows and settings in a folder of its own.
        jobs: Number of worker processes.
        watched: Called with each study, its number from 1 and their count; gives what listens to its run.
    """
    outcome = Outcome(scale, missing=planned.missing)
    for number, (request, study) in enumerate(planned.studies, start=1):
        if request.images_only:
            outcome.take(Ran(request, study, table_of([], study), store / NETS))
            continue
        own, failures = folder / request.name, []
        try:
            if outcome.stop is not None:
                raise outcome.stop
            with watched(study, number, len(planned.studies)) as listener:
                done = run_study(study, own, jobs, listener, partial(run_trial, nets=store / NETS), store)
            finished, outcome.stop = done.finished, done.stop
            failures = [f"{failed.trial.label}: {failed.reason}" for failed in done.failed]
        except KeyboardInterrupt as stop:
            finished, outcome.stop = take_stock(store, study).finished, stop
        table = table_of(finished, study)
        if finished:
            write_table(table, own / "results.csv")
            write_text(own / "study.toml", study_text(study, {}))
        outcome.take(Ran(request, study, labelled(table), store / NETS, failures))
    return outcome
