"""What an attack climbs: a loss per image, large where the model is wrong."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per image, of shape (N,). Its gradient vanishes in float32 where logits are large."""
    return F.cross_entropy(logits, labels, reduction="none")


def margin_ratio(logits: Tensor, labels: Tensor) -> Tensor:
    """The difference-of-logits ratio per image, of shape (N,): unchanged when logits are scaled or shifted.

    Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness", equation 6:
    -(z_y - max_{i≠y} z_i) / (z_π1 - z_π3), π being the descending order of the logits.

    Raises:
        ValueError: there are fewer than three classes.
    """
    if logits.shape[1] < 3:
        raise ValueError(f"the difference-of-logits ratio needs at least 3 classes, got {logits.shape[1]}")
    top = logits.topk(3, dim=1).values
    right = logits.gather(1, labels[:, None]).squeeze(1)
    runner_up = top[:, 0].where(right < top[:, 0], top[:, 1])
    return (runner_up - right) / (top[:, 0] - top[:, 2]).clamp_min(1e-12)
