"""What an attack climbs: a loss per image, large where the model is where the attack wants it.

Each takes logits (N, classes), the right classes (N,), and for a targeted attack the wanted classes (N,).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """Cross-entropy per image, of shape (N,). Its gradient vanishes in float32 where logits are large."""
    if targets is not None:
        return -F.cross_entropy(logits, targets, reduction="none")
    return F.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """By how much the best wrong logit (targeted: the wanted one) is above the best other one, of shape (N,).

    Above 0 exactly where the attack has what it wants.
    """
    aimed = labels if targets is None else targets
    of_class = logits.gather(1, aimed[:, None]).squeeze(1)
    best_other = logits.scatter(1, aimed[:, None], -torch.inf).amax(1)
    return best_other - of_class if targets is None else of_class - best_other


def margin_ratio(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """The difference-of-logits ratio per image, of shape (N,): unchanged when logits are scaled or shifted.

    Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness", equations 6 and 7:
    -(z_y - max_{i≠y} z_i) / (z_π1 - z_π3), π being the descending order of the logits; for a wanted class t
    -(z_y - z_t) / (z_π1 - (z_π3 + z_π4) / 2).

    Raises:
        ValueError: there are fewer than three classes; for a targeted attack, fewer than four.
    """
    needed = 3 if targets is None else 4
    if logits.shape[1] < needed:
        kind = "" if targets is None else "targeted "
        raise ValueError(f"the {kind}difference-of-logits ratio needs at least {needed} classes, got {logits.shape[1]}")
    top = logits.topk(needed, dim=1).values
    right = logits.gather(1, labels[:, None]).squeeze(1)
    if targets is not None:
        wanted = logits.gather(1, targets[:, None]).squeeze(1)
        return (wanted - right) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2).clamp_min(1e-12)
    runner_up = top[:, 0].where(right < top[:, 0], top[:, 1])
    return (runner_up - right) / (top[:, 0] - top[:, 2]).clamp_min(1e-12)
