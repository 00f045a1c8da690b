"""The long table's unit: one measured value."""

from dataclasses import dataclass

import torch
from torch import Tensor

CLEAN, WORST, PER_SECOND = "clean", "worst", "attacked_per_second"
CORRECT = "correct"
ATTACKED = "attacked_images"


@dataclass(frozen=True)
class Row:
    """One measured value, a column for everything that tells it from the others of its trial.

    Attributes:
        measure: "clean", a noise's name, an attack's label, "worst" (over all attacks of a norm), or one of training.
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


def share(right: Tensor) -> float:
    """The share of true values, on whatever device; NaN for the share of nothing."""
    # Not every device knows float64.
    return float(right.to("cpu", torch.float64).mean())
