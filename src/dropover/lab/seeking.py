"""`lab.search` and what it returns: a search run to its honest end, and the files that it leaves."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dropover.lab.blame import one_line
from dropover.lab.boards import MissingExtraError
from dropover.lab.comparing import RESULTS, jobs_for
from dropover.lab.comparing import run as run_comparison
from dropover.lab.records.files import write_text
from dropover.lab.records.labels import labelled
from dropover.lab.records.sources import forget_sources
from dropover.lab.records.store import write_table
from dropover.lab.report.files import study_text
from dropover.lab.report.searching import PAGE, render
from dropover.lab.result import Result
from dropover.lab.running.engines.choosing import Choice
from dropover.lab.running.study_file import StudyError, try_out
from dropover.lab.running.trial import Trial
from dropover.lab.searching.ending import Figure, figures, final_study, winner_study
from dropover.lab.searching.reading import END, Plan, alone, claim, planned, read_search, search_of
from dropover.lab.searching.search import Found
from dropover.lab.searching.settings import SearchStudy
from dropover.lab.searching.space import Places
from dropover.lab.telling.live import View, live, unseen
from dropover.lab.telling.searching import said_at_first, said_at_the_end, said_before_the_end
from dropover.lab.telling.terminal import say
from dropover.lab.user_code import name_of

if TYPE_CHECKING:  # without Optuna, what a search is can still be told
    from dropover.lab.searching.proposing import Proposer

WINNERS = "winners"


@dataclass(frozen=True, eq=False)
class Searched:
    """What came of a search.

    Attributes:
        plan: What was searched.
        found: Every arm that was tried, and the winners as the search saw them.
        end: The study that tested these on fresh seeds, beside no method and each method as published; None if the
            search was stopped before.
        folder: Where all of it is kept.
    """

    plan: Plan
    found: Found
    end: Result | None
    folder: Path

    @property
    def figures(self) -> list[Figure]:
        """What the end says of each of its arms at each objective; empty until all of it has run."""
        if self.end is None or self.end.run.stop is not None:
            return []
        return figures(self.plan.file, self.found, self.end.study, labelled(self.end.table))

    @property
    def front(self) -> pd.DataFrame:
        """A row for each arm of the end and each objective: the fresh figure, its interval, and the search's own.

        Of figures under attack `audit` has the verdict, or that there is none; then what the audit leaves, and why.
        """
        own = ["fresh", "low", "high", "gain", "gain_low", "gain_high", "verdict"]
        own += ["searched", "optimism", "optimism_of_gain"]
        rows = [
            (
                *(each.arm, each.objective.words, each.arm in self.found.winners),
                *(getattr(each, name) for name in own),
                *_audit_of(each),
            )
            for each in self.figures
        ]
        own += ["audit", "audit_leaves", "audit_grounds"]
        return pd.DataFrame(rows, columns=["arm", "objective", "winner", *own])

    @property
    def trials(self) -> pd.DataFrame:
        """Every trial of the search: the arm, what was chosen for it, the seed, and its raw value at each objective."""
        rows = [
            {
                "arm": arm,
                "seed": seed,
                **{each.words: each.gain(gain) for each, gain in zip(self.found.objectives, gains, strict=True)},
                **self.found.chosen.get(arm, {}),
            }
            for arm, row in self.found.scores.items()
            for seed, gains in row.items()
        ]
        return pd.DataFrame(rows, columns=None if rows else ["arm", "seed"])

    @property
    def lines(self) -> list[str]:
        """What is said at its end."""
        if self.end is None:
            trials = len(self.found.run.finished)
            return [f"The search was stopped before its end: {trials} trials are finished and kept."]
        if self.end.run.stop is not None:
            kept = f"{len(self.end.run.finished)} of {self.end.run.total} trials of it are finished and kept"
            return [f"The search was stopped at its end, of which nothing is said until it is whole: {kept}."]
        failed = [f"Failed at the end: {label}: {reason}" for label, reason in self.end.failed.items()]
        return [*failed, *said_at_the_end(self.figures, self.found.winners, self.plan.file.study)]

    def save(self, command: str = "") -> list[Path]:
        """Write search.html, trials.csv, front.csv and a study file for each winner, ready for `compare`.

        Args:
            command: What ran it, as a reader would type it.

        Returns:
            These files.
        """
        files = {label: _file_of(number, label) for number, label in enumerate(self.found.winners, start=1)}
        for label, file in files.items():
            write_text(self.folder / file, study_text(winner_study(self.plan.file, self.found, label), {}))
        write_table(self.trials, self.folder / "trials.csv")
        whole = self.end is not None and self.end.run.stop is None
        if whole:
            write_table(self.front, self.folder / "front.csv")
        failed = self.end.failed if self.end is not None else {}
        write_text(self.folder / PAGE, render(self.plan, self.found, self.figures, files, command, failed))
        return [self.folder / name for name in (PAGE, "trials.csv", *(["front.csv"] * whole), *files.values())]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def search(
    what: Callable[[Trial], Any] | Mapping[str, Any] | str | Path,
    space: Mapping[str, Any] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    name: str = "",
    version: str = "",
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = "local",
    address: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    retry_failed: bool = False,
    progress: bool = True,
) -> Searched:
    """Find which regularizer helps, where and how strongly, for a net and its data, and test it honestly.

    It proposes arms, trains them, and gives more seeds to those that may be best. It chooses by validation images
    alone; test images are read once, for the winners, on fresh seeds. The same call goes on from what is kept.

    Args:
        what: A study file with a table `[search]`, or its content as a dictionary. Or a training function, called with
            a `Trial` for each arm and seed; it scores validation images where `trial.settings["score"]` is
            "validation", and test images where it is "test".
        space: The table `[search]`, of a function.
        settings: What a function finds in `Trial.settings`.
        name: What a function's search is called; by default as the function.
        version: What this state of the function's code is called; see `compare`.
        out: The folder; by default results/NAME.
        jobs: How many trials run at a time; see `compare`.
        engine: "local" or "ray"; see `compare`, also for the three that follow.
        address: Of a Ray cluster's head.
        cpus_per_trial: How many CPUs Ray sets apart for a trial.
        gpus_per_trial: How many GPUs, or what share of one.
        retry_failed: Whether trials are tried again that failed in an earlier call.
        progress: Whether it is shown how far it is.

    Raises:
        StudyError: a line for what is wrong with the study or the space.
        SearchError: the arm without a method failed, or no trial measures an objective. It is a `ValueError`.
        MissingExtraError, EngineError, TypeError, ValueError: Optuna or Ray can't be had; a wrong argument.
    """
    check_extra()
    _check_arguments(what, space, settings or {}, bool(name or version))
    origin = "search"
    if isinstance(what, str | Path):
        origin, file = str(what), read_search(Path(what))
    elif isinstance(what, Mapping):
        file = search_of(what, origin)
    else:
        own = {**(settings or {}), "function": name_of(what), "version": version}
        called = name or getattr(what, "__name__", "").strip("<>") or "search"
        file = search_of({"name": called, "trial": own, "search": dict(space or {})}, origin)
    forget_sources()
    choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs_for(file.study, jobs))
    folder = Path(out) if out is not None else RESULTS / file.study.name
    view, tell = (
        (partial(live, on=choice.words), partial(say, wrap=False)) if progress else (unseen, lambda _line: None)
    )
    searched = run(file, origin, folder, choice, view, tell, retry_failed=retry_failed)
    searched.save()
    return searched


def _check_arguments(what: Any, space: Any, settings: Mapping[str, Any], named: bool) -> None:
    """Raise for what is neither a study nor a function, and for what one of the two has no use for."""
    if isinstance(what, str | Path | Mapping):
        if space is not None or settings or named:
            line = "space, settings, name and version are for a function"
            raise ValueError(f"{line}: leave them out, a study says them itself")
        return
    if not callable(what):
        raise TypeError(f"what must be a study file, its content, or a training function, got {type(what).__name__}")
    if not isinstance(space, Mapping | None):
        raise TypeError(f'space must be a dictionary such as {{"trials": 200}}, got {type(space).__name__}')
    if taken := {"function", "version"} & {*settings}:
        raise ValueError(f"settings must have other names than {' and '.join(sorted(taken))}, which the lab takes")


def _audit_of(figure: Figure) -> tuple[str, float | None, str]:
    """The verdict on a figure under attack, what the audits leave, and the checks behind it."""
    if figure.soundness is None:
        return ("not audited" if figure.unaudited else "", None, figure.unaudited)
    return (figure.soundness.verdict, figure.soundness.accuracy, figure.soundness.grounds)


def _file_of(number: int, label: str) -> str:
    """Where a winner's study file lies, below the search's folder."""
    name = re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-.")
    return f"{WINNERS}/{number:02d}-{name}.toml"


def _proposer(plan: Plan, folder: Path) -> "Proposer":
    """What proposes, and takes up what it has proposed in this folder."""
    from dropover.lab.searching.proposing import JOURNAL, Proposer

    search, study = plan.file.search, plan.file.searched
    # From the root on: Optuna's lock is a link to what it is told, and one that leads nowhere is waited for for ever.
    folder, fits = folder.absolute(), Places(study).check
    try:
        return Proposer(plan.space, folder, plan.objectives, search.sampler, search.seed, study.name, fits)
    except (ValueError, LookupError, TypeError, AssertionError) as error:
        line = f"is damaged ({one_line(error)}): delete it, and proposals begin anew; finished trials are kept"
        raise StudyError(f"{folder / JOURNAL}: {line}") from None


def check_extra() -> None:
    """Raise `MissingExtraError` where Optuna isn't installed."""
    if find_spec("optuna") is None:
        raise MissingExtraError('search needs optuna, which is not installed: pip install "dropover[search]"')


def run(
    file: SearchStudy,
    origin: str,
    folder: Path,
    choice: Choice,
    view: View,
    tell: Callable[[str], object],
    command: str = "",
    retry_failed: bool = False,
) -> Searched:
    """Check a search, and run it to its end; raises as `search`."""
    from dropover.lab.searching.search import Search

    file = SearchStudy(study=choice.placed(file.study), search=file.search)
    plan = planned(file, origin, elsewhere=choice.is_ray)
    claim(folder, file, origin)
    for line in said_at_first(plan):
        tell(line)
    with alone(folder), choice.opened([file.searched]) as (engine, jobs):
        proposer = _proposer(plan, folder)
        ran = Search(file, proposer, plan.objectives, plan.budget, folder, jobs, engine, tell, retry_failed).run()
        if ran.run.stop is not None:
            return Searched(plan, ran, None, folder)
        final = final_study(file, ran, plan.space)
        try_out(final, origin, elsewhere=choice.is_ray)
        tell(said_before_the_end(ran))
        end = run_comparison(
            final, folder / END, jobs, view, tell, command=command, retry_failed=retry_failed, engine=engine
        )
        end.save(folder / END)
    return Searched(plan, ran, end, folder)
