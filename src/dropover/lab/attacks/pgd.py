"""Projected gradient descent (Madry et al. 2018); on the margin, what cross-entropy can't see when logits are large."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import climb, fixed_steps
from dropover.lab.attacks.parts.losses import cross_entropy, margin_ratio
from dropover.lab.attacks.parts.task import Task


def pgd(task: Task, *, steps: int = 10, step: float = 0.1, restarts: int = 1) -> list[Tensor]:
    """Climb the cross-entropy from a random start in the ball; 10 steps of ε/10 as in the papers.

    There are at least 1 of the `steps`, each a fraction `step` of ε long, above 0, at most 2, and as many random starts
    as `restarts` says, at least 1.
    """
    return climb(task, cross_entropy, fixed_steps(step), steps=steps, restarts=restarts)


def pgd_margin(task: Task, *, steps: int = 10, step: float = 0.1, restarts: int = 1) -> list[Tensor]:
    """Climb the difference-of-logits ratio (Croce & Hein 2020), otherwise like `pgd`."""
    return climb(task, margin_ratio, fixed_steps(step), steps=steps, restarts=restarts)


ATTACKS.add(Attack("pgd", (), "ten steps up the cross-entropy from a random start in the ball", pgd))
_SCALE_FREE = "like pgd on the difference-of-logits ratio, which no logit scale hides"
ATTACKS.add(Attack("pgd-margin", ("pgd-dlr",), _SCALE_FREE, pgd_margin, loss="margin"))
