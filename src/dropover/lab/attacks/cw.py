"""Carlini & Wagner's L2 attack (2017): the nearest adversarial image, whatever its distance."""

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import margin
from dropover.lab.attacks.parts.task import Task
from dropover.validation import number, whole

_INNERMOST = 1 - 1e-6


def cw(
    task: Task, *, steps: int = 200, searches: int = 9, lr: float = 0.01, confidence: float = 0.0, c: float = 0.01
) -> list[Tensor]:
    """Minimise distance² + c · max(0, confidence - margin) with Adam over w, the image being (tanh w + 1) / 2.

    The c of each image is multiplied by ten until the attack succeeds, and halved in between from then on. The nearest
    success of all is kept. One run serves every ε: an image falls where its distance is at most ε.

    Args:
        task: What is attacked.
        steps: Adam's steps for each c, at least 1.
        searches: How many values of c are tried, at least 1.
        lr: Adam's learning rate, in w, above 0.
        confidence: The margin between logits that the loss asks for, at least 0.
        c: Weight of the margin that is tried first, above 0.
    """
    whole("steps", steps, 1)
    whole("searches", searches, 1)
    number("confidence", confidence, 0)
    for name, value in (("lr", lr), ("c", c)):
        if number(name, value, 0) == 0:
            raise ValueError(f"{name} must be above 0, got 0")
    nearest = task.images[task.open].clone()
    distance = torch.full((len(nearest),), torch.inf, device=nearest.device)
    weight, low, high = torch.full_like(distance, c), torch.zeros_like(distance), torch.full_like(distance, torch.inf)
    for _ in range(searches if len(nearest) else 0):
        fell = _descend(task, weight, steps, lr, confidence, nearest, distance)
        high = high.where(~fell, weight)
        low = low.where(fell, weight)
        weight = torch.where(high.isinf(), weight * 10, (low + high) / 2)
    found = [task.images.clone() for _ in task.eps]
    for images, eps in zip(found, task.eps, strict=True):
        near = distance <= eps
        images[task.open[near]] = nearest[near]
    return found


def _descend(
    task: Task, weight: Tensor, steps: int, lr: float, confidence: float, nearest: Tensor, distance: Tensor
) -> Tensor:
    """One run of Adam with one c for each image; writes nearer successes down, and returns which images fell."""
    clean = task.images[task.open]
    w0 = ((2 * clean - 1) * _INNERMOST).atanh()
    w, first, second = w0, torch.zeros_like(w0), torch.zeros_like(w0)
    fell = torch.zeros_like(weight, dtype=torch.bool)
    before = torch.inf
    for step in range(1, steps + 1):
        squashed = w.tanh()
        x = (squashed + 1) / 2
        seen = task.see(x, task.open, margin)
        assert seen.gradient is not None
        length = task.norm.length(x - clean)
        hit = (seen.values > 0) & (seen.values >= confidence)
        better = hit & (length < distance)
        nearest[better], distance[better] = x[better], length[better]
        fell |= hit
        short = (confidence - seen.values).clamp_min(0)
        if step % max(1, steps // 10) == 0:
            cost = float((length**2 + weight * short).sum())
            if cost > 0.9999 * before:
                break
            before = cost
        pull = 2 * (x - clean) / task.norm.scale**2
        push = (weight * (short > 0))[:, None, None, None] * seen.gradient
        slope = (pull - push) * (1 - squashed**2) / 2
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        w = w - lr * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    return fell


ATTACKS.add(
    Attack("cw", ("carlini-wagner",), "the nearest adversarial image by Carlini & Wagner", cw, "margin", ("l2",))
)
