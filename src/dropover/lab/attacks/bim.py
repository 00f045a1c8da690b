"""The basic iterative method (Kurakin, Goodfellow & Bengio 2017)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import FixedSteps, climb, fraction
from dropover.lab.attacks.parts.losses import cross_entropy
from dropover.lab.attacks.parts.task import Task


def bim(task: Task, *, steps: int = 10, step: float = 0.1) -> list[Tensor]:
    """Climb the cross-entropy from the clean image; 10 steps of ε/10 as in the papers.

    Args:
        task: What is attacked.
        steps: How many, at least 1.
        step: Length of a step as a fraction of ε, above 0, at most 2.
    """
    length = fraction(step)
    return climb(task, cross_entropy, lambda eps: FixedSteps(task, eps, length), steps=steps, random_start=False)


ATTACKS.add(Attack("bim", (), "ten steps up the cross-entropy from the clean image", bim))
