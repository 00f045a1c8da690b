"""What a results' folder has for a study: results and failures to take over, files set aside, why trials run again."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from dropover.lab.records.again import listed, why_again
from dropover.lab.records.checked import read_checked
from dropover.lab.records.failures import failure_path, read_failure
from dropover.lab.records.files import DamagedError, set_aside
from dropover.lab.records.store import Finished, earlier_trials, read_trial
from dropover.lab.records.trials import Place, TrialKey, trials_of
from dropover.lab.study import Study


@dataclass
class Stock:
    """The trials that there are results of, those that failed and why, and those that are to be run.

    Of trials that differ in name alone only the first is missing; `twins` go from its fingerprint to the later ones.
    `notes` are what is to be said, a line each: files set aside, why trials run again, arms that are the same.
    """

    finished: list[Finished] = field(default_factory=list)
    failed: list[tuple[TrialKey, str]] = field(default_factory=list)
    missing: list[TrialKey] = field(default_factory=list)
    twins: dict[str, list[TrialKey]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def with_twins(self, finished: Finished) -> list[Finished]:
        """A trial's results, and the same for each of its twins, which took no time of its own."""
        twins = self.twins[finished.trial.fingerprint]
        return [finished, *(replace(finished, trial=twin, seconds=0.0) for twin in twins)]


def take_stock(folder: Path, study: Study, among: Collection[Place] | None = None, retry_failed: bool = False) -> Stock:
    """Which of a study's trials have results in a folder or failed, and why others that once had some have none.

    Of all its trials, or of those `among` some. Those that failed are missing if they are to be tried again. A file
    that is not what was written is set aside under another name. The results' folder need not exist; the study has been
    checked.

    Raises:
        OSError: such a file can't be renamed.
        ValueError: the images or the user's code can't be had.
    """
    stock = Stock()
    read = cache(read_checked)
    firsts: dict[str, TrialKey] = {}
    for trial in trials_of(study, among):
        first = firsts.setdefault(trial.fingerprint, trial)
        twins = stock.twins.setdefault(trial.fingerprint, [])
        if first is not trial:
            twins.append(trial)
    absent: list[TrialKey] = []
    again = 0
    for first in firsts.values():
        path = first.path(folder)
        try:
            finished = read_trial(folder, first, read)
            path = failure_path(folder, first)
            failure = read_failure(folder, first, read) if finished is None else None
        except DamagedError as reason:
            stock.notes.append(f"{set_aside(path, reason)}; {first.label} runs again")
            stock.missing.append(first)
            continue
        if finished is not None:
            stock.finished += stock.with_twins(finished)
        elif failure is not None and retry_failed:
            stock.missing.append(first)
            again += 1
        elif failure is not None:
            stock.failed += [(trial, failure) for trial in (first, *stock.twins[first.fingerprint])]
        else:
            stock.missing.append(first)
            absent += [first, *stock.twins[first.fingerprint]]
    pairs = {twin.arm.label: firsts[same].arm.label for same, twins in stock.twins.items() for twin in twins}
    stock.notes += [f"{arm} has the settings of {first}: run once, counted for both" for arm, first in pairs.items()]
    if again:
        stock.notes.append(f"{again} trial{'s' if again > 1 else ''} that failed before run{'s' * (again == 1)} again")
    if absent:
        earlier, strange = earlier_trials(folder, read)
        stock.notes += why_again(study, absent, earlier)
        if strange:
            where = f"not taken over from {folder / 'trials'}, damaged or of an older format"
            stock.notes.append(f"{where}: {listed(strange)}")
    return stock
