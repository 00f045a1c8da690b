"""MLflow: an experiment for the study, a run for each arm, and within it one for each trial."""

import logging
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import dropover
from dropover.lab.boards import BOARDS, Board
from dropover.lab.boards.parts.figures import Points, final, over_seeds, points, settings
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.events import Ended, Event, Failed, Listener, Moved, Started
from dropover.lab.study import Study

if TYPE_CHECKING:
    from mlflow import MlflowClient

STORE = "mlflow.db"
"""The file of the results' folder that takes all, unless MLflow is told another place (MLFLOW_TRACKING_URI)."""
STUDY, ARM, SEED, TRIAL, VERSION, FAILURE = (
    f"dropover.{tag}" for tag in ("study", "arm", "seed", "trial", "version", "failure")
)
"""Tags of runs; `TRIAL` is a trial's fingerprint."""
_AT_ONCE = 1000
"""How many figures MLflow takes in one call, and how many runs it lists in one."""
_ANSWER = 5.0
"""Seconds that a server has for its first answer: MLflow itself would ask again for minutes."""


@contextmanager
def show(study: Study, folder: Path) -> Iterator[Listener]:
    """Log a study where MLflow is told to, else to a file of its results' folder."""
    from mlflow import MlflowClient, get_tracking_uri, is_tracking_uri_set

    files = None
    if is_tracking_uri_set():
        uri = get_tracking_uri()
        _reach(uri)
    else:
        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
        uri, files = f"sqlite:///{(folder / STORE).resolve().as_posix()}", (folder / "mlflow").resolve().as_uri()
    runs = _Runs(study, MlflowClient(uri), files)
    yield runs.hear
    runs.end()


@dataclass
class _Run:
    """The run of a trial of an arm, and the values that it has."""

    id: str
    arm: str
    there: Points = field(default_factory=dict)


class _Runs:
    """The runs of a study's experiment.

    Args:
        study: The study.
        client: Of the store.
        files: Where MLflow would put files of the experiment; None for where the store puts them.
    """

    def __init__(self, study: Study, client: "MlflowClient", files: str | None) -> None:
        self._study, self._client = study, client
        experiment = client.get_experiment_by_name(study.name)
        self._experiment = experiment.experiment_id if experiment else client.create_experiment(study.name, files)
        self._arms: dict[str, str] = {}
        """The runs of arms."""
        self._kept: dict[tuple[str, str], tuple[str, str]] = {}
        """What earlier runs of the study left, by arm and fingerprint: each trial's run, and how it ended."""
        self._open: dict[str, _Run] = {}
        self._finished: dict[str, dict[int, Points]] = {arm.label: {} for arm in study.arms}
        self._statuses: dict[str, str] = {}
        """How the runs of arms end that something was written to."""
        self._find()

    def hear(self, event: Event) -> None:
        match event:
            case Started(trial):
                # What it goes on from, if a run of it was killed, comes again with what it logs next.
                self._open[trial.label] = self._begin(trial)
            case Moved(trial, progress):
                self._add(self._open[trial.label], points(self._study, progress.logged))
            case Ended(finished):
                there = points(self._study, finished.rows)
                self._finished[finished.trial.arm.label][finished.trial.seed] = there
                self._end(finished.trial, "FINISHED", there, seconds=finished.seconds)
            case Failed(trial, reason):
                self._end(trial, "FAILED", {}, reason)

    def end(self) -> None:
        """Say how it ended of what has not: trials that were stopped, and arms, with their means over seeds."""
        for run in self._open.values():
            self._client.set_terminated(run.id, "KILLED")
        stopped = {run.arm for run in self._open.values()}
        for arm, status in self._statuses.items():
            seeds = self._finished[arm]
            if seeds:
                means = over_seeds([_finals(there) for there in seeds.values()])
                self._log(self._arms[arm], {(name, len(seeds)): value for (name, _), value in means.items()})
            self._client.set_terminated(self._arms[arm], "KILLED" if arm in stopped else status)

    def _find(self) -> None:
        """The runs that earlier runs of the study have left; of arms those whose settings are the same."""
        wanted = {arm.label: _params(settings(arm)) for arm in self._study.arms}
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{STUDY}` = '{self._study.name}'", max_results=_AT_ONCE, page_token=token
            )
            for run in page:
                tags = run.data.tags
                if TRIAL in tags:
                    self._kept[tags[ARM], tags[TRIAL]] = run.info.run_id, run.info.status
                elif run.data.params == wanted.get(tags[ARM]):
                    self._arms[tags[ARM]] = run.info.run_id
            token = page.token
            if not token:
                return

    def _begin(self, trial: TrialKey, seconds: float = 0.0) -> _Run:
        """A new run of a trial, in place of one that was there."""
        arm = trial.arm.label
        of = settings(trial.arm)
        if arm not in self._arms:
            self._arms[arm] = self._new(arm, arm, of)
        elif arm not in self._statuses:
            self._client.update_run(self._arms[arm], status="RUNNING")
        self._statuses.setdefault(arm, "FINISHED")
        kept, _ = self._kept.pop((arm, trial.fingerprint), ("", ""))
        if kept:
            self._client.delete_run(kept)
        tags = {SEED: str(trial.seed), TRIAL: trial.fingerprint, "mlflow.parentRunId": self._arms[arm]}
        return _Run(self._new(f"seed {trial.seed}", arm, {**of, "seed": trial.seed}, tags, seconds), arm)

    def _new(
        self,
        name: str,
        arm: str,
        of: Mapping[str, str | float],
        tags: Mapping[str, str] | None = None,
        seconds: float = 0.0,
    ) -> str:
        from mlflow.entities import Param

        own = {STUDY: self._study.name, ARM: arm, VERSION: dropover.__version__, **(tags or {})}
        began = _now() - round(1000 * seconds)
        run: str = self._client.create_run(self._experiment, start_time=began, tags=own, run_name=name).info.run_id
        self._client.log_batch(run, params=[Param(key, value) for key, value in _params(of).items()])
        return run

    def _add(self, run: _Run, values: Points) -> None:
        """Log those that aren't there yet, or are others."""
        new = {place: value for place, value in values.items() if repr(run.there.get(place)) != repr(value)}
        run.there |= new
        self._log(run.id, new)

    def _log(self, run: str, values: Points) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(_metric(name), value, _now(), step) for (name, step), value in values.items()]
        for start in range(0, len(metrics), _AT_ONCE):
            self._client.log_batch(run, metrics[start : start + _AT_ONCE])

    def _end(self, trial: TrialKey, status: str, there: Points, failure: str = "", seconds: float = 0.0) -> None:
        """End a trial's run; one that was not begun is made, unless it is there and has ended alike."""
        run = self._open.pop(trial.label, None)
        if run is None and self._kept.get((trial.arm.label, trial.fingerprint), ("", ""))[1] == status:
            return
        run = run or self._begin(trial, seconds)
        self._add(run, there)
        if failure:
            self._client.set_tag(run.id, FAILURE, failure)
            self._statuses[trial.arm.label] = status
        self._client.set_terminated(run.id, status)


def _finals(there: Points) -> Points:
    return {(name, 0): value for name, value in final(there).items()}


def _params(of: Mapping[str, str | float]) -> dict[str, str]:
    """Settings as MLflow takes them."""
    return {name: str(value)[:500] for name, value in of.items()}


def _metric(name: str) -> str:
    """The name as MLflow takes it."""
    return re.sub(r"/+", "/", re.sub(r"[^\w .:/-]", "-", re.sub(r"[()]", "", name)))[:250].strip("/")


def _now() -> int:
    """Milliseconds since 1970."""
    return round(1000 * time.time())


def _reach(uri: str) -> None:
    """Raise `ConnectionError` if it is a server's address and none answers, in whatever words."""
    if not uri.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(uri, timeout=_ANSWER).close()  # noqa: S310 - the user's own
    except urllib.error.HTTPError:
        return
    except OSError as error:
        if not isinstance(getattr(error, "reason", None), ssl.SSLError):
            raise ConnectionError(f"nothing answers at {uri}") from None


BOARDS.add(
    Board(
        "mlflow", (), "runs where MLFLOW_TRACKING_URI says, else in a file of the results",
        ("mlflow", "sqlalchemy", "alembic"), show,
    )
)  # fmt: skip
