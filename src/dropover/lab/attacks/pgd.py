"""Projected gradient descent (Madry et al. 2018), L∞."""

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.losses import cross_entropy
from dropover.lab.attacks.projected import ascend


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    steps: int = 10,
    step: float = 0.1,
    restarts: int = 1,
) -> Tensor:
    """Climb the cross-entropy from a random start in the ball; 10 steps of ε/10 as in the papers.

    The arguments are those of `dropover.lab.attacks.projected.ascend`.
    """
    return ascend(model, images, labels, eps, generator, loss=cross_entropy, steps=steps, step=step, restarts=restarts)


ATTACKS.add(Attack("pgd", (), "ten steps up the cross-entropy from a random start in the ball", pgd))
