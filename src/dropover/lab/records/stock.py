"""What a results' folder has for a study: results to take over, files set aside, and why trials run again."""

from dataclasses import dataclass, field
from pathlib import Path

from dropover.lab.records.again import listed, why_again
from dropover.lab.records.files import DamagedError, set_aside
from dropover.lab.records.store import Finished, Trial, as_twin, known_trials, read_trial, trials_of
from dropover.lab.study import Study


@dataclass
class Stock:
    """What there is, and what there is to do.

    Attributes:
        finished: The trials that there are results of.
        missing: Those that are to be run. Of trials that differ in name alone only the first is among them.
        twins: From the fingerprint of every trial to the later ones that differ from it in name alone.
        notes: What is to be said about it, a line each: files set aside, why trials run again, arms that are the same.
    """

    finished: list[Finished] = field(default_factory=list)
    missing: list[Trial] = field(default_factory=list)
    twins: dict[str, list[Trial]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def with_twins(self, finished: Finished) -> list[Finished]:
        """A trial's results, and the same for each of its twins."""
        return [finished, *(as_twin(finished, twin) for twin in self.twins[finished.trial.fingerprint])]


def take_stock(folder: Path, study: Study) -> Stock:
    """Which of a study's trials have results in a folder, and why others that once had some have none.

    A file that is not what was written is set aside under another name.

    Args:
        folder: The results' folder; it need not exist.
        study: A study that has been checked.

    Raises:
        OSError: such a file can't be renamed.
        ValueError: the images or the user's code can't be had.
    """
    stock = Stock()
    firsts: dict[str, Trial] = {}
    for trial in trials_of(study):
        first = firsts.setdefault(trial.fingerprint, trial)
        twins = stock.twins.setdefault(trial.fingerprint, [])
        if first is not trial:
            twins.append(trial)
    absent: list[Trial] = []
    for first in firsts.values():
        try:
            known = read_trial(folder, first)
        except DamagedError as reason:
            stock.notes.append(f"{set_aside(first.path(folder), reason)}; {first.label} runs again")
            stock.missing.append(first)
            continue
        if known is None:
            stock.missing.append(first)
            absent += [first, *stock.twins[first.fingerprint]]
        else:
            stock.finished += stock.with_twins(known)
    stock.notes += _about_twins(firsts, stock)
    if absent:
        stock.notes += _about_absent(folder, study, absent)
    return stock


def _about_twins(firsts: dict[str, Trial], stock: Stock) -> list[str]:
    pairs = {twin.arm.label: firsts[same].arm.label for same, twins in stock.twins.items() for twin in twins}
    return [f"{arm} has the settings of {first}: run once, counted for both" for arm, first in pairs.items()]


def _about_absent(folder: Path, study: Study, absent: list[Trial]) -> list[str]:
    known, strange = known_trials(folder)
    notes = why_again(study, absent, known)
    if strange:
        notes.append(f"not taken over from {folder / 'trials'}, damaged or of an older format: {listed(strange)}")
    return notes
