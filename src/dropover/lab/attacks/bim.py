"""The basic iterative method (Kurakin, Goodfellow & Bengio 2017)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import climb, fixed_steps
from dropover.lab.attacks.parts.losses import cross_entropy
from dropover.lab.attacks.parts.task import Task


def bim(task: Task, *, steps: int = 10, step: float = 0.1) -> list[Tensor]:
    """Climb the cross-entropy from the clean image; 10 steps of ε/10 as in the papers.

    `steps` and `step` are those of `dropover.lab.attacks.pgd.pgd`.
    """
    return climb(task, cross_entropy, fixed_steps(step), steps=steps, random_start=False)


ATTACKS.add(Attack("bim", (), "ten steps up the cross-entropy from the clean image", bim))
