"""What a trial's results, and a trained net, are determined by: named ingredients, and one digest of them all.

The ingredients are "settings" (of model, training, evaluation and arm, less the arm's name), "seed", "data" (by
content), "computed" (the kind of device, how many of them where they are several, and the precision), "user code" (file
by file), "code" (this package's) and "versions". What things are called, where they lie and in which order they come is
not among them.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dropover
from dropover.lab.data.parts.loading import content_of
from dropover.lab.devices import kind_of
from dropover.lab.digests import of_bytes, of_plain
from dropover.lab.machine import deciding_versions
from dropover.lab.models.parts.foreign import TIMM
from dropover.lab.records.sources import UserSources, user_sources
from dropover.lab.study import Arm, Study
from dropover.lab.user_code import is_user_code

Ingredients = Mapping[str, Any]

# What a trial does import, and what yet only words errors, refuses names or shows how far something is.
WORDS_ONLY = ("lab/blame.py", "lab/study/names.py", "lab/waiting.py")
# What only plans, shows or judges results: editing it leaves every trial's rows as they are. All else counts, and
# nothing that a trial runs may import anything else that is listed here.
BESIDE_TRIALS = (
    *WORDS_ONLY,
    "cli/",
    "lab/boards/",
    "lab/comparing.py",
    "lab/growing.py",
    "lab/judging/",
    "lab/pictures/",
    "lab/probing/",
    "lab/records/again.py",
    "lab/records/checked.py",
    "lab/records/failures.py",
    "lab/records/labels.py",
    "lab/records/stock.py",
    "lab/records/store.py",
    "lab/report/",
    "lab/result.py",
    "lab/reproductions/",
    "lab/running/checks.py",
    "lab/running/claims.py",
    "lab/running/engines/",
    "lab/running/events.py",
    "lab/running/guard.py",
    "lab/running/heartbeat.py",
    "lab/running/kept_nets.py",
    "lab/running/mailbox.py",
    "lab/running/queue.py",
    "lab/running/runner.py",
    "lab/running/starting.py",
    "lab/running/stopping.py",
    "lab/running/study_file.py",
    "lab/running/tally.py",
    "lab/searching/",
    "lab/seeking.py",
    "lab/telling/",
)
# What is done to a net only after its training, which nothing that makes a net may import.
AFTER_TRAINING = (*BESIDE_TRIALS, "lab/attacks/", "lab/auditing/", "lab/measuring/", "lab/noise/", "lab/running/")


def trial_ingredients(study: Study, arm: Arm, seed: int) -> Ingredients:
    """Everything that determines a trial's rows.

    Raises:
        DataError, UnknownNameError: the images can't be had.
        DeviceError: the device can't be had.
        ValueError: the user's code can't be had.
    """
    return ingredients_of(study)(arm, seed)


def ingredients_of(study: Study) -> Callable[[Arm, int], Ingredients]:
    """The same for all trials of a study, which share most of it; raises as `trial_ingredients`, at once."""
    what = {"trial"} if study.trial else {"model", "training"}
    settings = study.model_dump(mode="json", include={*what, "evaluation"}, exclude={"trial": {"version"}})
    around = surroundings(study)
    return lambda arm, seed: {"settings": {**settings, "arm": _nameless(arm)}, "seed": seed, **around}


def net_fingerprint(study: Study, arm: Arm, seed: int) -> str:
    """Digest of everything that determines a trained net and its record; raises as `trial_ingredients`.

    Of the evaluation only the batches count in which the test images are scored after each epoch: they decide what a
    layer draws that is random at inference.
    """
    settings = study.model_dump(mode="json", include={"model", "training"})
    settings |= {"arm": _nameless(arm), "test_batch": study.evaluation.batch_size}
    return of_plain({"settings": settings, "seed": seed, **surroundings(study, AFTER_TRAINING)})


def surroundings(study: Study, left_out: tuple[str, ...] = BESIDE_TRIALS) -> dict[str, Any]:
    """The ingredients that all trials of a study share, as this process has them; raises as `trial_ingredients`.

    Files and folders of this package that are left out do not count.
    """
    of_timm = study.trial is None and study.model.name.startswith(TIMM)
    sources = _sources(study)
    packages = [*(["timm"] if of_timm else []), *(package for each in sources for package in each.packages)]
    return {
        "data": content_of(study.data) if study.trial is None else "",
        "computed": _computed(study),
        "user code": {file: digest for each in sources for file, digest in each.files.items()},
        "code": code(left_out),
        "versions": deciding_versions(packages),
    }


def _computed(study: Study) -> dict[str, Any]:
    """How many devices a trial takes counts where they are several: each draws its own masks, on a part of a batch."""
    several = {} if study.devices_per_trial == 1 else {"devices_per_trial": study.devices_per_trial}
    return {"device": kind_of(study.device), "precision": study.precision, **several}


def _sources(study: Study) -> list[UserSources]:
    """The user's code that a study runs. Where he says which version his function is, its source does not count."""
    if study.trial is not None and study.trial.version:
        return [UserSources({"version": study.trial.version}, ())]
    return [user_sources(name) for name in user_code(study)]


def user_code(study: Study) -> list[str]:
    """What a study runs of the user's own, by name."""
    names = [study.model.name, study.data.name] if study.trial is None else [study.trial.function]
    # A name of timm's has a colon too.
    return [name for name in names if is_user_code(name) and not name.startswith(TIMM)]


@functools.cache
def code(left_out: tuple[str, ...]) -> str:
    """Digest of the package's source, less the files and folders named: edited code must not pass for its old self."""
    root = Path(str(dropover.__file__)).parent
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    return of_plain({name: of_bytes(files[name].read_bytes()) for name in files if not name.startswith(left_out)})


def _nameless(arm: Arm) -> dict[str, Any]:
    return arm.model_dump(mode="json", exclude={"name"})
