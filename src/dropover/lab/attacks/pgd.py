"""Projected gradient descent (Madry et al. 2018)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import FixedSteps, climb, fraction
from dropover.lab.attacks.parts.losses import cross_entropy
from dropover.lab.attacks.parts.task import Task


def pgd(task: Task, *, steps: int = 10, step: float = 0.1, restarts: int = 1) -> list[Tensor]:
    """Climb the cross-entropy from a random start in the ball; 10 steps of ε/10 as in the papers.

    Args:
        task: What is attacked.
        steps: How many, at least 1.
        step: Length of a step as a fraction of ε, above 0, at most 2.
        restarts: How many random starts, at least 1.
    """
    length = fraction(step)
    return climb(task, cross_entropy, lambda eps: FixedSteps(task, eps, length), steps=steps, restarts=restarts)


ATTACKS.add(Attack("pgd", (), "ten steps up the cross-entropy from a random start in the ball", pgd))
