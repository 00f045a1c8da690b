"""What a study has brought, as one value: the table, the verdicts, the answer, and the files that show them."""

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from dropover.lab.growing import Growth
from dropover.lab.judging.answer import Answer
from dropover.lab.judging.soundness import COLUMNS as AUDIT_COLUMNS
from dropover.lab.judging.verdict_table import COLUMNS
from dropover.lab.records.store import table_of, write_table
from dropover.lab.report.files import answer_of, page_of, write_files
from dropover.lab.running.runner import StudyRun
from dropover.lab.study import Study
from dropover.lab.telling.table import text_of


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a study.

    Attributes:
        study: What was run.
        run: Which trials are finished, and which failed.
        folder: Where its trials are kept.
        jobs: How many trials ran at a time.
        command: What ran it, as a reader would type it.
        growth: How it grew, if it got seeds until it was decided.
    """

    study: Study
    run: StudyRun
    folder: Path
    jobs: int
    command: str = ""
    growth: Growth | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """The long table: arm, seed, measure, level (a step, a noise's strength, an ε), value, and more columns."""
        return table_of(self.run.finished, self.study)

    @cached_property
    def answer(self) -> Answer | None:
        """The study's answer; None if no trial is finished."""
        return answer_of(self.study, self.run, self.command, self.growth)

    @property
    def verdicts(self) -> pd.DataFrame:
        """For every arm and measure the difference from the reference, its interval, and what can be said of it."""
        return pd.DataFrame(columns=list(COLUMNS)) if self.answer is None else self.answer.verdicts

    @property
    def audits(self) -> pd.DataFrame:
        """Of every trial attacked: the share that its audit leaves, its interval, and the verdict on its worst case."""
        return pd.DataFrame(columns=list(AUDIT_COLUMNS)) if self.answer is None else self.answer.audits

    @property
    def failed(self) -> dict[str, str]:
        """The trials that came to nothing, by arm and seed, and why."""
        return {failed.trial.label: failed.reason for failed in self.run.failed}

    def save(self, folder: str | Path) -> list[Path]:
        """Write results.csv and study.toml and, if a trial is finished, report.html and verdicts.csv; returns these."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_table(self.table, folder / "results.csv")
        write_files(folder, self.study, self.run, self.jobs, self.command, self.growth)
        answered = ["report.html", "verdicts.csv"] if self.answer else []
        return [folder / name for name in (*answered, "results.csv", "study.toml")]

    def __str__(self) -> str:
        failed = "\n".join(f"{label}: {reason}" for label, reason in self.failed.items())
        said = "There is no result: no trial is finished." if self.answer is None else text_of(self.answer)
        return f"{said}\n{failed}".rstrip()

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        if self.answer is None:
            return f"<pre>{html.escape(str(self))}</pre>"
        page = page_of(self.answer, self.run, self.jobs, self.growth)
        style = "width: 100%; height: 46rem; border: 1px solid #ddd; box-sizing: border-box"
        title = html.escape(self.study.name)
        return f'<iframe srcdoc="{html.escape(page)}" style="{style}" title="{title}"></iframe>'
