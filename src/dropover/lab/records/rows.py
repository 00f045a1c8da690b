"""The long table's unit: one measured value."""

from dataclasses import dataclass

import torch
from torch import Tensor

CLEAN, WORST, PER_SECOND = "clean", "worst", "attacked_per_second"
CORRECT = "correct"
ATTACKED = "attacked_images"
AUDIT = "audit"
"""The share that the audit of a norm leaves at its ε."""
AUDITED = f"{AUDIT} images"
"""Of how many images."""
CHECK = f"{AUDIT}: "
"""Begins the name of one of its checks: 1 where that passed, 0 where it failed, NaN where it could not be made."""


@dataclass(frozen=True)
class Row:
    """One measured value, a column for everything that tells it from the others of its trial.

    Attributes:
        measure: "clean", a noise's name, an attack's label, "worst" (over all attacks of a norm), "audit" and what goes
            with it, or one of training.
        level: An epoch, a noise level or an ε; None where there is only one value.
        value: The value.
        norm: What an attack is held to, "linf" or "l2"; else empty.
        of: "correct" for a share of the images that are right without the attack; else empty: of all images.
        inference_rate: The rate of the model's layers at inference; None for their own.
    """

    measure: str
    level: float | None
    value: float
    norm: str = ""
    of: str = ""
    inference_rate: float | None = None


def of_audit(measure: str) -> bool:
    """Whether a measure is an audit's: its share, its number of images, or one of its checks."""
    return measure in (AUDIT, AUDITED) or measure.startswith(CHECK)


def share(right: Tensor) -> float:
    """The share of true values, on whatever device; NaN for the share of nothing."""
    # Not every device knows float64.
    return float(right.to("cpu", torch.float64).mean())
