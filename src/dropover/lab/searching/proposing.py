"""What to try next: Optuna's samplers asked and told, in a journal that lies in the search's folder.

Optuna's own dashboard opens the journal: `optuna-dashboard FOLDER/optuna.log`.
"""

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from dropover.lab.searching.objectives import Objective
from dropover.lab.searching.settings import Sampler
from dropover.lab.searching.space import Space, SpaceError
from dropover.lab.study import Arm

JOURNAL = "optuna.log"
_PATIENCE = 20
"""After how many proposals in a row that no layer can be made of the next are drawn at random: of what failed a sampler
learns nothing, and may propose it for ever."""
_MISFITS = 200
"""How many of these say that there are no others."""


class Proposer:
    """Asks for arms, and is told what came of them.

    Args:
        space: What may be proposed.
        folder: Where the journal lies; what was proposed earlier is found there.
        objectives: What is told of each arm.
        sampler: Which of Optuna's samplers proposes.
        seed: What it draws from.
        name: What the search is called.
        fits: Raises where an arm can't be tried.
    """

    def __init__(
        self,
        space: Space,
        folder: Path,
        objectives: Sequence[Objective],
        sampler: Sampler,
        seed: int,
        name: str,
        fits: Callable[[Arm], None],
    ) -> None:
        self._space, self._fits, self._seed = space, fits, seed
        folder.mkdir(parents=True, exist_ok=True)
        _mend(folder / JOURNAL)
        with _quiet():
            self._study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
                study_name=name,
                directions=["maximize" if each.higher_is_better else "minimize" for each in objectives],
                load_if_exists=True,
            )
            # A search that goes on must not draw again what it drew first.
            self._study.sampler = _sampler(sampler, seed + len(self._study.trials), len(objectives))
            self._study.set_metric_names([each.words for each in objectives])
        self._signs = [1 if each.higher_is_better else -1 for each in objectives]
        self._asked: dict[str, list[int]] = {}
        self._arms: dict[str, Arm] = {}
        self._take_up()

    @property
    def arms(self) -> list[Arm]:
        """All that was proposed and can be tried, in order, each once."""
        return list(self._arms.values())

    @property
    def open(self) -> list[str]:
        """The labels of arms that were proposed and of which nothing was told."""
        return list(self._asked)

    def ask(self) -> Arm:
        """An arm to try, first one of every method; it may be one that was proposed before.

        Raises:
            SpaceError: nothing that is proposed can be tried.
        """
        reason, usual = "", self._study.sampler
        try:
            for misfits in range(_MISFITS):
                if misfits == _PATIENCE:
                    self._study.sampler = RandomSampler(seed=self._seed + len(self._study.trials))
                arm = self._proposed()
                if isinstance(arm, Arm):
                    return arm
                reason = arm
        finally:
            self._study.sampler = usual
        raise SpaceError(f"search.ranges: {_MISFITS} proposals in a row can't be tried: {reason}")

    def _proposed(self) -> Arm | str:
        """What the sampler proposes next, or why no layer can be made of it."""
        tried = {arm.method for arm in self._arms.values()}
        for method in [name for name in self._space.places if name not in tried][:1]:
            self._study.enqueue_trial({"method": method})
        trial = self._study.ask()
        arm = self._space.arm(trial)
        try:
            self._fits(arm)
        except (TypeError, ValueError) as error:
            self._study.tell(trial, state=TrialState.FAIL)
            return " ".join(str(error).split())
        trial.set_user_attr("arm", arm.label)
        self._open(arm, trial.number)
        return arm

    def tell(self, label: str, gains: Sequence[float] | None) -> None:
        """What an arm came to at each objective, more being better; None if its trial failed."""
        for number in self._asked.pop(label, ()):
            if gains is None or not all(map(math.isfinite, gains)):
                self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            else:
                values = [sign * gain for sign, gain in zip(self._signs, gains, strict=True)]
                self._study.tell(number, values, skip_if_finished=True)

    def chosen(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Of every arm proposed its label and what was chosen for it."""
        for trial in self._study.trials:
            if "arm" in trial.user_attrs:
                yield trial.user_attrs["arm"], dict(trial.params)

    def _open(self, arm: Arm, number: int) -> None:
        self._arms.setdefault(arm.label, arm)
        self._asked.setdefault(arm.label, []).append(number)

    def _take_up(self) -> None:
        """Read what was proposed earlier. What was being proposed when the search was killed is given up."""
        for trial in self._study.trials:
            arm = self._read(trial) if "arm" in trial.user_attrs else None
            if arm is None:
                if trial.state == TrialState.RUNNING:
                    self._study.tell(trial.number, state=TrialState.FAIL)
            elif trial.state.is_finished():
                self._arms.setdefault(arm.label, arm)
            else:
                self._open(arm, trial.number)

    def _read(self, trial: FrozenTrial) -> Arm:
        return self._space.arm(FixedTrial(trial.params, trial.number))


def _sampler(name: Sampler, seed: int, objectives: int) -> BaseSampler:
    match name:
        case "tpe":
            return TPESampler(seed=seed, multivariate=True, group=True)
        case "gp":
            return GPSampler(seed=seed, warn_independent_sampling=False)
        case "nsga2":
            return NSGAIISampler(seed=seed, population_size=max(10, 5 * objectives))
        case "random":
            return RandomSampler(seed=seed)


def _mend(journal: Path) -> None:
    """Take away what a kill in the midst of writing leaves: half a line, to which the next would be added, and a lock.

    Optuna waits half a minute for a lock; who comes here is alone in the folder.
    """
    if journal.exists() and not (text := journal.read_bytes()).endswith(b"\n"):
        os.truncate(journal, text.rfind(b"\n") + 1)
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines, and its warnings of what is new in it."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
