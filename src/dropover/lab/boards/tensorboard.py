"""TensorBoard: a run for each trial, and one for the mean over each arm's seeds, in a folder of the results' folder."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dropover.lab.boards import BOARDS, Board
from dropover.lab.boards.parts.figures import FINAL, Points, final, over_seeds, points, settings
from dropover.lab.digests import of_plain
from dropover.lab.records.files import write_text
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.events import Ended, Event, Failed, Listener, Moved, Started
from dropover.lab.study import Study

FOLDER = "tensorboard"
WHOLE = "whole.txt"
"""The file of a run that is whole: the digest of what it shows, by which a rerun leaves it alone."""
_FLUSH_EVERY = 2
_MEANS_EVERY = 30.0
"""Seconds: between two writings to the disk, and between two writings of an arm's mean while the study runs."""
_LONGEST = 200
"""Bytes of a folder's name."""


@contextmanager
def show(study: Study, folder: Path) -> Iterator[Listener]:
    """Write the runs of a study below its results' folder."""
    runs = _Runs(study, folder / FOLDER)
    try:
        yield runs.hear
        for arm in study.arms:
            runs.write_mean(arm.label)
    finally:
        runs.close()


class _Runs:
    """All runs of a study; those of trials that run are open."""

    def __init__(self, study: Study, folder: Path) -> None:
        names = _folder_names([arm.label for arm in study.arms])
        self._study = study
        self._folders = {arm: folder / name for arm, name in names.items()}
        self._finished: dict[str, dict[int, Points]] = {arm: {} for arm in names}
        self._open: dict[str, _Run] = {}
        self._next_mean = dict.fromkeys(names, time.monotonic() + _MEANS_EVERY)

    def hear(self, event: Event) -> None:
        match event:
            case Started(trial):
                # What it goes on from, if a run of it was killed, comes again with what it logs next.
                self._open[trial.label] = _Run(self._folder(trial))
            case Moved(trial, progress):
                self._open[trial.label].add(points(self._study, progress.logged))
            case Ended(finished):
                self._end(finished)
            case Failed(trial) if trial.label in self._open:
                self._open.pop(trial.label).close()

    def write_mean(self, arm: str) -> None:
        """Write the mean and spread over an arm's finished seeds, unless they are there."""
        seeds = self._finished[arm]
        if seeds:
            self._write(self._folders[arm] / "mean", over_seeds(list(seeds.values())), settings(self._study.arm(arm)))

    def close(self) -> None:
        """Close the files of trials that have not ended."""
        while self._open:
            self._open.popitem()[1].close()

    def _end(self, finished: Finished) -> None:
        trial, there = finished.trial, points(self._study, finished.rows)
        arm = trial.arm.label
        self._finished[arm][trial.seed] = there
        of = {**settings(trial.arm), "seed": trial.seed}
        self._write(self._folder(trial), there, of, self._open.pop(trial.label, None))
        if time.monotonic() >= self._next_mean[arm]:
            self.write_mean(arm)
            self._next_mean[arm] = time.monotonic() + _MEANS_EVERY

    def _write(self, folder: Path, there: Points, of: Mapping[str, str | float], run: "_Run | None" = None) -> None:
        """Make a run whole, or write it all, if it isn't there or shows something else."""
        digest = of_plain([[*place, value] for place, value in sorted(there.items())])
        if run is None and _is_whole(folder, digest):
            return
        if run is not None and run.contradicts(there):  # a step was logged twice
            run.close()
            run = None
        run = run or _Run(folder)
        run.add(there)
        run.end(of)
        write_text(folder / WHOLE, digest, lasting=False)

    def _folder(self, trial: TrialKey) -> Path:
        return self._folders[trial.arm.label] / f"seed {trial.seed}"


class _Run:
    """A run that is being written, in place of what there was of it."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if folder.exists():
            shutil.rmtree(folder)
        self._there: Points = {}
        self._writer = SummaryWriter(str(folder), flush_secs=_FLUSH_EVERY)

    def add(self, values: Points) -> None:
        """Write those that aren't there yet; final figures are written at its end."""
        new = {place: value for place, value in values.items() if place not in self._there}
        self._there |= new
        for (name, step), value in new.items():
            if not name.startswith(FINAL):
                self._writer.add_scalar(name, value, step)

    def contradicts(self, values: Points) -> bool:
        """Whether another value was written of any."""
        return any(repr(values.get(place)) != repr(value) for place, value in self._there.items())

    def end(self, of: Mapping[str, str | float]) -> None:
        """Write the final figures, by these settings in the tab HParams, and close."""
        self._writer.add_hparams(dict(of), final(self._there), run_name=".", global_step=0)
        self.close()

    def close(self) -> None:
        self._writer.close()


def _is_whole(folder: Path, digest: str) -> bool:
    path = folder / WHOLE
    return path.is_file() and path.read_text() == digest


def _folder_names(arms: Sequence[str]) -> dict[str, str]:
    """A folder for each arm: its name, less what some system can't have in one."""
    names: dict[str, str] = {}
    for arm in arms:
        plain = re.sub(r"[^\w .,=+()\[\]@-]", "-", arm).encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "arm"
        number, name = 1, plain
        while name.casefold() in map(str.casefold, names.values()):
            number += 1
            name = f"{plain} ({number})"
        names[arm] = name
    return names


BOARDS.add(Board("tensorboard", (), f"runs in the folder {FOLDER} of the results", ("tensorboard",), show))
