"""Auto-PGD on the cross-entropy (Croce & Hein 2020)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.adaptive import climb_adaptively
from dropover.lab.attacks.parts.losses import cross_entropy
from dropover.lab.attacks.parts.task import Task


def apgd(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the cross-entropy with momentum and steps that halve where they stop paying.

    Args:
        task: What is attacked.
        steps: How many, at least 1; the paper takes 100.
        restarts: How many random starts, at least 1.
    """
    return climb_adaptively(task, cross_entropy, steps, restarts)


ATTACKS.add(Attack("apgd", ("apgd-ce",), "momentum steps that find their own length, up the cross-entropy", apgd))
