"""The files that a study leaves behind, beside its table: study.toml, report.html and verdicts.csv."""

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w

from dropover.lab.data.parts.loading import load_data
from dropover.lab.growing import Growth
from dropover.lab.judging.answer import Answer
from dropover.lab.machine import machine, versions
from dropover.lab.records.files import write_text
from dropover.lab.records.labels import labelled
from dropover.lab.records.rows import ATTACKED
from dropover.lab.records.store import table_of, write_table
from dropover.lab.report.page import render
from dropover.lab.running.runner import PROCESSES, StudyRun
from dropover.lab.study import Study


def write_files(
    folder: Path, study: Study, outcome: StudyRun, jobs: int, command: str, growth: Growth | None = None
) -> Answer | None:
    """Write study.toml, and report.html and verdicts.csv if at least one trial is finished.

    Args:
        folder: The results' folder, which exists.
        study: What was run.
        outcome: What came of it.
        jobs: How many trials ran at a time.
        command: The command that ran it, as a reader would type it.
        growth: How it grew, if seeds were added until it was decided: its verdicts are those of its looks.

    Returns:
        What the page says, if there is one.
    """
    details = _details(study, outcome, jobs, command)
    grew = {} if growth is None else {"until_decided": _growth(growth)}
    write_text(folder / "study.toml", study_text(study, {**details, **grew}))
    answer = answer_of(study, outcome, command, growth)
    if answer is not None:
        write_table(answer.verdicts, folder / "verdicts.csv")
        write_text(folder / "report.html", page_of(answer, outcome, jobs, growth))
    return answer


def answer_of(study: Study, outcome: StudyRun, command: str = "", growth: Growth | None = None) -> Answer | None:
    """What a study's trials say together; None if none is finished. Arguments as for `write_files`."""
    if not outcome.finished:
        return None
    judge = growth.judge if growth else None
    table = labelled(table_of(outcome.finished, study))
    return Answer(study, table, _counts(study, table)["attacked"], command, judge)


def page_of(answer: Answer, outcome: StudyRun, jobs: int, growth: Growth | None = None) -> str:
    """The page, as HTML. Arguments as for `write_files`."""
    details = _details(answer.study, outcome, jobs, answer.command)
    return render(answer, outcome, _counts(answer.study, answer.table), details, growth)


def _counts(study: Study, table: pd.DataFrame) -> dict[str, int]:
    """Number of training, test and attacked images; of those that the user's own function gave, what is known."""
    if study.trial:
        attacked = table.loc[table["measure"] == ATTACKED, "value"]
        return {"attacked": 0 if attacked.empty else int(attacked.min())}
    data = load_data(study.data)
    test = len(data.test_labels)
    return {
        "training": len(data.train_labels),
        "test": test,
        "attacked": min(study.evaluation.attack_images or test, test),
    }


def study_text(study: Study, circumstances: dict[str, Any]) -> str:
    """The study as TOML with every default filled in, and the circumstances in a table that a rerun ignores."""
    # What has no effect would be refused when it is read.
    others = {"data", "model", "training"} if study.trial else {"measures"}
    content = study.model_dump(mode="json", exclude_none=True, exclude={"circumstances", *others})
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
    # Where trials were computed that is no device of this machine's, they say it themselves.
    computed = next((each for each in (done.circumstances for done in outcome.finished) if "device" in each), {})
    here = {**versions(), **machine(), **{key: computed[key] for key in ("device", "precision") if key in computed}}
    # Trials of another version are never taken over, but those of another machine are.
    elsewhere = {str(done.circumstances["cpu"]) for done in outcome.finished} - {str(here["cpu"])}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "jobs": jobs,
        **({} if outcome.engine == PROCESSES.name else {"engine": outcome.engine}),
        "wall_seconds": round(outcome.seconds, 1),
        "trials": outcome.total,
        "trials_finished": len(outcome.finished),
        "trials_from_an_earlier_run": outcome.reused,
        "trial_seconds": round(sum(done.seconds for done in outcome.finished), 1),
        **here,
        **({"other_cpus": sorted(elsewhere)} if elsewhere else {}),
    }
