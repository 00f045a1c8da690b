"""Projected gradient descent on the margin: what cross-entropy can't see when logits are large."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import FixedSteps, climb, fraction
from dropover.lab.attacks.parts.losses import margin_ratio
from dropover.lab.attacks.parts.task import Task


def pgd_margin(task: Task, *, steps: int = 10, step: float = 0.1, restarts: int = 1) -> list[Tensor]:
    """Climb the difference-of-logits ratio (Croce & Hein 2020), otherwise like `dropover.lab.attacks.pgd.pgd`."""
    length = fraction(step)
    return climb(task, margin_ratio, lambda eps: FixedSteps(task, eps, length), steps=steps, restarts=restarts)


ATTACKS.add(
    Attack(
        "pgd-margin",
        ("pgd-dlr",),
        "like pgd on the difference-of-logits ratio, which no logit scale hides",
        pgd_margin,
        loss="margin",
    )
)
