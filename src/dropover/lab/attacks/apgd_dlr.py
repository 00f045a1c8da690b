"""Auto-PGD on the difference-of-logits ratio (Croce & Hein 2020)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.adaptive import climb_adaptively
from dropover.lab.attacks.parts.losses import margin_ratio
from dropover.lab.attacks.parts.task import Task


def apgd_dlr(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the difference-of-logits ratio, otherwise like `dropover.lab.attacks.apgd.apgd`."""
    return climb_adaptively(task, margin_ratio, steps, restarts)


ATTACKS.add(
    Attack(
        "apgd-dlr", (), "like apgd on the difference-of-logits ratio, which no logit scale hides", apgd_dlr, "margin"
    )
)
