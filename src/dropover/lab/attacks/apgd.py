"""Auto-PGD on the cross-entropy and on the difference-of-logits ratio (Croce & Hein 2020)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.adaptive import adaptive_steps
from dropover.lab.attacks.parts.climbing import climb
from dropover.lab.attacks.parts.losses import cross_entropy, margin_ratio
from dropover.lab.attacks.parts.task import Task


def apgd(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the cross-entropy with momentum and steps that halve where they stop paying.

    There are at least 1 of the `steps`, the paper's 100, and as many random starts as `restarts` says, at least 1.
    """
    return climb(task, cross_entropy, adaptive_steps(steps), steps=steps, restarts=restarts)


def apgd_dlr(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the difference-of-logits ratio, otherwise like `apgd`."""
    return climb(task, margin_ratio, adaptive_steps(steps), steps=steps, restarts=restarts)


ATTACKS.add(Attack("apgd", ("apgd-ce",), "momentum steps that find their own length, up the cross-entropy", apgd))
_SCALE_FREE = "like apgd on the difference-of-logits ratio, which no logit scale hides"
ATTACKS.add(Attack("apgd-dlr", (), _SCALE_FREE, apgd_dlr, loss="margin"))
