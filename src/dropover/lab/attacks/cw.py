"""Carlini & Wagner's L2 attack (2017): the nearest adversarial image, whatever its distance."""

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import margin
from dropover.lab.attacks.parts.nearest import Nearest
from dropover.lab.attacks.parts.task import Task
from dropover.validation import number, whole

_INNERMOST = 1 - 1e-6


def cw(
    task: Task, *, steps: int = 200, searches: int = 9, lr: float = 0.01, confidence: float = 0.0, c: float = 0.01
) -> list[Tensor]:
    """Minimise distance² + c · max(0, confidence - margin) with Adam over w, the image being (tanh w + 1) / 2.

    The c of each image is multiplied by ten until the attack succeeds, and halved in between from then on. The nearest
    success of all is kept. One run serves every ε: an image falls where its distance is at most ε.

    For each of `searches` values of c (at least 1), of which `c` (above 0) is the first, Adam takes `steps` steps (at
    least 1) of learning rate `lr` (in w, above 0). The loss asks for a margin of `confidence` (at least 0) between
    logits.
    """
    whole("steps", steps, 1)
    whole("searches", searches, 1)
    number("confidence", confidence, 0)
    for name, value in (("lr", lr), ("c", c)):
        if number(name, value, 0) == 0:
            raise ValueError(f"{name} must be above 0, got 0")
    nearest = Nearest(task)
    weight = torch.full_like(nearest.distance[task.open], c)
    low, high = torch.zeros_like(weight), torch.full_like(weight, torch.inf)
    for _ in range(searches if len(weight) else 0):
        fell = _descend(task, nearest, weight, steps, lr, confidence)
        high = high.where(~fell, weight)
        low = low.where(fell, weight)
        weight = torch.where(high.isinf(), weight * 10, (low + high) / 2)
    return nearest.within_each_ball()


def _descend(task: Task, nearest: Nearest, weight: Tensor, steps: int, lr: float, confidence: float) -> Tensor:
    """One run of Adam with one c for each image, of which `nearest` keeps the successes; returns which images fell."""
    clean = task.images[task.open]
    w0 = ((2 * clean - 1) * _INNERMOST).atanh()
    w, first, second = w0, torch.zeros_like(w0), torch.zeros_like(w0)
    fell = torch.zeros_like(weight, dtype=torch.bool)
    before = torch.inf
    for step in range(1, steps + 1):
        squashed = w.tanh()
        x = (squashed + 1) / 2
        response = task.response(x, task.open, margin)
        assert response.gradient is not None
        distance = task.norm.length(x - clean)
        hit = (response.values > 0) & (response.values >= confidence)
        nearest.keep(x, task.open, hit)
        fell |= hit
        short = (confidence - response.values).clamp_min(0)
        if step % max(1, steps // 10) == 0:
            cost = float((distance**2 + weight * short).sum())
            if cost > 0.9999 * before:
                break
            before = cost
        pull = 2 * (x - clean) / task.norm.scale**2
        push = (weight * (short > 0))[:, None, None, None] * response.gradient
        slope = (pull - push) * (1 - squashed**2) / 2
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        w = w - lr * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    return fell


_SUMMARY = "the nearest adversarial image by Carlini & Wagner"
ATTACKS.add(Attack("cw", ("carlini-wagner",), _SUMMARY, cw, loss="margin", norms=("l2",)))
