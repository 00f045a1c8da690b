"""Results are only taken of a process that had the code and the images that the study was begun with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dropover.lab.records.again import IMAGES_CHANGED, changes
from dropover.lab.records.fingerprints import Ingredients, surroundings
from dropover.lab.records.rows import Row
from dropover.lab.running.passing import PassingError
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Arm, Study
from dropover.lab.user_code import is_user_code


class ChangedError(PassingError):
    """Something that decides results changed between the start of a study and that of one of its processes."""


@dataclass(frozen=True)
class Guarded:
    """A trial function for worker processes, each of which first looks at what it is about to run.

    A process that starts after an edit would compute results of the new code under the old code's name. What is edited
    while a process runs doesn't matter: it goes on with what it has imported. `begun_with` is what the study's trials
    share, as the process sees it that collects their results.
    """

    trial: TrialFunction
    begun_with: Ingredients

    def __call__(self, study: Study, arm: Arm, seed: int, report: Callable[[TrialProgress], None]) -> Sequence[Row]:
        """As `trial`; `ChangedError` if this process has other code or other images."""
        differences = changes(self.begun_with, surroundings(study))
        if differences:
            what = f"{', '.join(differences)} after the study had begun"
            if IMAGES_CHANGED in differences and is_user_code(study.data.name):
                what += f", or {study.data.name} makes others each time it is called: seed what it draws"
            raise ChangedError(f"{what}; the same command runs it anew")
        return self.trial(study, arm, seed, report)
