"""Digests that tell whether results, or a trained net, still are what the settings and the code would give."""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dropover
from dropover.lab.machine import versions
from dropover.lab.study import Arm, Study

# What only plans, shows or judges results: editing it leaves every trial's rows as they are.
_BESIDE_TRIALS = (
    "cli/",
    "lab/blame.py",
    "lab/checks.py",
    "lab/comparison.py",
    "lab/fingerprints.py",
    "lab/machine.py",
    "lab/names.py",
    "lab/pictures/",
    "lab/probing/",
    "lab/report/",
    "lab/reproductions/",
    "lab/results.py",
    "lab/runner.py",
    "lab/starting.py",
    "lab/statistics.py",
    "lab/stopping.py",
    "lab/study_file.py",
    "lab/verdicts.py",
)
# What is done to a net only after its training.
_AFTER_TRAINING = (
    *_BESIDE_TRIALS,
    "lab/attacks/",
    "lab/noise/",
    "lab/robustness.py",
    "lab/rows.py",
    "lab/trial.py",
)


def trial_fingerprint(study: Study, arm: Arm, seed: int) -> str:
    """Digest of everything that determines a trial's rows: its settings, this package's code, torch's version."""
    return _digest(
        {
            **study.model_dump(mode="json", include={"data", "model", "training", "evaluation"}),
            "arm": arm.model_dump(mode="json"),
            "seed": seed,
            "versions": versions(),
            "code": code(_BESIDE_TRIALS),
        }
    )


def net_fingerprint(study: Study, arm: Arm, seed: int) -> str:
    """Digest of everything that determines a trained net: like a trial's, less what happens after training.

    What an arm is called is left out, so that studies may name it as they like.
    """
    return _digest(
        {
            **study.model_dump(mode="json", include={"data", "model", "training"}),
            "arm": arm.model_dump(mode="json", exclude={"name"}),
            "seed": seed,
            "versions": versions(),
            "code": code(_AFTER_TRAINING),
        }
    )


@functools.cache
def code(left_out: tuple[str, ...]) -> str:
    """Digest of the package's source, less the files and folders named: edited code must not pass for its old self."""
    root = Path(str(dropover.__file__)).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(left_out):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _digest(determined_by: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(determined_by, sort_keys=True).encode()).hexdigest()
