"""The page of a search: one HTML file with the front, what matters, every winner and every trial; nothing to load."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pandas as pd

from dropover.lab.judging.measures import Measure, measure_of
from dropover.lab.judging.soundness import LEGEND
from dropover.lab.machine import machine, versions
from dropover.lab.records.labels import AUDIT
from dropover.lab.report import search_charts as charts
from dropover.lab.report.templates import environment
from dropover.lab.searching.audited import norm_under
from dropover.lab.searching.conclusion import answer, warnings
from dropover.lab.searching.ending import Figure
from dropover.lab.searching.importance import Importance, importance
from dropover.lab.searching.inserting import lines_of
from dropover.lab.searching.reading import Plan
from dropover.lab.searching.search import Found

PAGE = "search.html"


@dataclass(frozen=True)
class _Winner:
    """A winner as the page has it: its name, its study file, and the lines that insert it."""

    arm: str
    file: str
    lines: str


def render(
    plan: Plan,
    found: Found,
    figures: Sequence[Figure],
    files: Mapping[str, str],
    command: str,
    failed: Mapping[str, str],
) -> str:
    """The whole page as HTML.

    Args:
        plan: What was searched.
        found: What was tried.
        figures: What the end says.
        files: The study file of each winner, from the page's folder.
        command: What ran it, as a reader would type it.
        failed: The trials of the end that came to nothing, and why.
    """
    study = plan.file.study
    readings = [measure_of(study, each.label) for each in plan.objectives]
    tried, colors = _tried(found), charts.colors(study.reference)
    return (
        environment(Path(__file__).parent)
        .get_template("searching.html")
        .render(
            study=study,
            search=plan.file.search,
            methods=list(plan.space.places),
            objectives=list(zip(plan.objectives, readings, strict=True)),
            arms=_by_arm(figures),
            answer=answer(figures, found.winners, study),
            warnings=warnings(figures, found.winners, study),
            unchecked=any(norm_under(each, study) and each.label not in AUDIT.values() for each in plan.objectives),
            audit_legend=LEGEND if any(each.soundness for each in figures) else "",
            winners=[_Winner(label, files[label], lines_of(study, found.study.arm(label))) for label in found.winners],
            reference=study.reference,
            kind_of=charts.kind_of,
            chart=_chart(found, figures, tried, study.reference, readings),
            far_off=charts.far_off(figures, found.winners, study.reference) if len(readings) > 1 else [],
            numbers={label: number for number, label in enumerate(found.winners, start=1)},
            colors=colors,
            legend={name: color for name, color in colors.items() if len(readings) > 1 or name != charts.TRIED},
            matters=_matters(found),
            tried=sorted(tried.to_dict("records"), key=lambda row: str(row["arm"])),
            trials=_trials(found),
            failed=found.run.failed,
            failed_at_the_end=failed,
            finished=len(found.run.finished),
            raced=len(found.raced),
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            command=command,
            machine=machine(),
            versions=versions(),
        )
    )


def _chart(
    found: Found, figures: Sequence[Figure], tried: pd.DataFrame, reference: str, readings: Sequence[Measure]
) -> str:
    if not figures:
        return ""
    if len(readings) == 1:
        return charts.rows(figures, found.winners, reference, readings[0])
    return charts.front(figures, tried, found.winners, reference, readings)


def _by_arm(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    arms: dict[str, list[Figure]] = {}
    for each in figures:
        arms.setdefault(each.arm, []).append(each)
    return arms


def _tried(found: Found) -> pd.DataFrame:
    """A row for each arm: how many seeds it has, and its mean at each objective, by its words."""
    rows = [
        {
            "arm": arm,
            "seeds": len(row),
            **{
                each.words: each.gain(fmean(gains[place] for gains in row.values()))
                for place, each in enumerate(found.objectives)
            },
        }
        for arm, row in found.scores.items()
    ]
    return pd.DataFrame(rows, columns=["arm", "seeds", *(each.words for each in found.objectives)])


def _matters(found: Found) -> dict[str, Importance]:
    """What each objective hangs on, where that can be told: by the first seed, which all arms share."""
    first = found.study.seeds[0]
    there = {arm: row[first] for arm, row in found.scores.items() if first in row}
    shares = {
        each.words: importance(found.chosen, {arm: gains[place] for arm, gains in there.items()})
        for place, each in enumerate(found.objectives)
    }
    return {words: share for words, share in shares.items() if share is not None}


def _trials(found: Found) -> dict[str, list[tuple[int, list[float]]]]:
    """Of each arm the seeds and raw values."""
    return {
        arm: [
            (seed, [each.gain(gain) for each, gain in zip(found.objectives, gains, strict=True)])
            for seed, gains in row.items()
        ]
        for arm, row in found.scores.items()
    }
