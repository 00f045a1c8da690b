"""The files that a study leaves behind, beside its table: study.toml, report.html and verdicts.csv."""

import datetime
from pathlib import Path
from typing import Any

import tomli_w

from dropover.lab.data.parts.loading import load_data
from dropover.lab.devices import circumstances
from dropover.lab.growing import Growth
from dropover.lab.judging.answer import Answer
from dropover.lab.machine import machine, versions
from dropover.lab.records.files import write_text
from dropover.lab.records.labels import labelled
from dropover.lab.records.store import table_of, write_table
from dropover.lab.report.page import render
from dropover.lab.running.runner import StudyRun
from dropover.lab.study import Study


def write_files(
    folder: Path, study: Study, outcome: StudyRun, jobs: int, command: str, growth: Growth | None = None
) -> Answer | None:
    """Write study.toml, and report.html and verdicts.csv if at least one trial is finished.

    Args:
        folder: The results' folder, which exists.
        study: What was run.
        outcome: What came of it.
        jobs: Number of worker processes.
        command: The command that ran it, as a reader would type it.
        growth: How it grew, if seeds were added until it was decided: its verdicts are those of its looks.

    Returns:
        What the page says, if there is one.
    """
    details = _details(study, outcome, jobs, command)
    grew = {} if growth is None else {"until_decided": _growth(growth)}
    write_text(folder / "study.toml", study_text(study, {**details, **grew}))
    if not outcome.finished:
        return None
    data = load_data(study.data)
    test = len(data.test_labels)
    attacked = min(study.evaluation.attack_images or test, test)
    counts = {"training": len(data.train_labels), "test": test, "attacked": attacked}
    judge = growth.judge if growth else None
    answer = Answer(study, labelled(table_of(outcome.finished, study)), attacked, command, judge)
    write_table(answer.verdicts, folder / "verdicts.csv")
    write_text(folder / "report.html", render(answer, outcome, counts, details, growth))
    return answer


def study_text(study: Study, circumstances: dict[str, Any]) -> str:
    """The study as TOML with every default filled in, and the circumstances in a table that a rerun ignores."""
    content = study.model_dump(mode="json", exclude_none=True, exclude={"circumstances"})
    return tomli_w.dumps({**content, "circumstances": circumstances})


def _growth(growth: Growth) -> dict[str, Any]:
    return {
        "looks": [look.seeds for look in growth.looks[: growth.seen]],
        "most_seeds": growth.looks[-1].seeds,
        "alpha_spent": round(growth.spent, 6),
        "ending": growth.ending,
        "seeds_of_arms": growth.finished,
    }


def _details(study: Study, outcome: StudyRun, jobs: int, command: str) -> dict[str, Any]:
    here = {**versions(), **machine(), **circumstances(study.device, study.precision)}
    # Trials of another version are never taken over, but those of another machine are.
    elsewhere = {str(done.circumstances["cpu"]) for done in outcome.finished} - {str(here["cpu"])}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "jobs": jobs,
        "wall_seconds": round(outcome.seconds, 1),
        "trials": outcome.total,
        "trials_finished": len(outcome.finished),
        "trials_from_an_earlier_run": outcome.reused,
        "trial_seconds": round(sum(done.seconds for done in outcome.finished), 1),
        **here,
        **({"other_cpus": sorted(elsewhere)} if elsewhere else {}),
    }
