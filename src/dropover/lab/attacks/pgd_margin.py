"""Projected gradient descent on the margin: what cross-entropy can't see when logits are large."""

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.losses import margin_ratio
from dropover.lab.attacks.projected import ascend


def pgd_margin(
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
    """Climb the difference-of-logits ratio (Croce & Hein 2020), otherwise like `pgd`.

    The arguments are those of `dropover.lab.attacks.projected.ascend`.
    """
    return ascend(model, images, labels, eps, generator, loss=margin_ratio, steps=steps, step=step, restarts=restarts)


ATTACKS.add(
    Attack(
        "pgd-margin", ("pgd-dlr",), "like pgd on the difference-of-logits ratio, which no logit scale hides", pgd_margin
    )
)
