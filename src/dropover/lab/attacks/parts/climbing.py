"""Projected gradient ascent: the loop that every iterative gradient attack shares."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from dropover.lab.attacks.parts.losses import Loss
from dropover.lab.attacks.parts.task import Task
from dropover.validation import number, whole

Inside = Callable[[Tensor], Tensor]


class Steps(Protocol):
    """How the next point follows from the last one. What it remembers of each image, it drops with the image."""

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        """The next points, inside the ball, from points, their losses (N,) and gradients."""

    def keep(self, images: Tensor) -> None:
        """Go on with those images alone for which the mask (N,) is true."""


class FixedSteps:
    """Steps of one length, as in BIM and PGD.

    Args:
        task: What is attacked.
        eps: The radius.
        step: The length as a fraction of `eps`.
    """

    def __init__(self, task: Task, eps: float, step: float) -> None:
        self._uphill, self._length = task.norm.uphill, step * eps

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        """See `Steps.next`."""
        return inside(x + self._length * self._uphill(gradient))

    def keep(self, images: Tensor) -> None:
        """Nothing is remembered."""


def climb(
    task: Task,
    loss: Loss,
    make_steps: Callable[[float], Steps],
    *,
    steps: int,
    restarts: int = 1,
    random_start: bool = True,
) -> list[Tensor]:
    """Climb `loss` within each ε of the images and keep the best image found.

    An image of a deterministic model that has fallen is done with: it leaves the batch, for larger ε too, whose balls
    hold it. A model whose inference is random has no such images; there the best is the one of the greatest loss.

    Args:
        task: What is attacked.
        loss: Loss per image.
        make_steps: Makes the steps of one climb at one ε.
        steps: Steps of each climb, at least 1.
        restarts: How many climbs, at least 1.
        random_start: Whether a climb begins at a random point of the ball or at the clean image.

    Returns:
        Images for each ε, in the ball and in [0, 1].
    """
    whole("steps", steps, 1)
    whole("restarts", restarts, 1)
    # A loss that doesn't fit the number of classes says so before any work is done.
    loss(task.known.logits[:0], task.labels[:0], None if task.targets is None else task.targets[:0])
    generator = task.generator()
    # Drawn for all images and before anything else, so that they are the same for every model.
    starts = [task.norm.uniform(task.images, generator) if random_start else None for _ in range(restarts)]
    best, left, found = task.images.clone(), task.open, []
    for eps in task.eps:
        if eps > 0:
            greatest = torch.full((len(best),), -torch.inf, device=best.device)
            for start in starts:
                standing = [
                    _climb_once(task, eps, loss, make_steps(eps), steps, start, piece, best, greatest)
                    for piece in task.pieces(left)
                ]
                left = torch.cat(standing)
        found.append(best.clone())
    return found


def _climb_once(
    task: Task,
    eps: float,
    loss: Loss,
    way: Steps,
    steps: int,
    start: Tensor | None,
    left: Tensor,
    best: Tensor,
    greatest: Tensor,
) -> Tensor:
    """One climb of the images `left`; writes what it finds into `best` and `greatest`, returns those still standing."""

    def inside(point: Tensor) -> Tensor:
        return task.inside(point, left, eps)

    x = task.images[left]
    if start is not None:
        x = inside(x + eps * start[left])
    for taken in range(steps + 1):
        if not len(left):
            break
        last = taken == steps
        seen = task.see(x, left, loss, gradient=not last)
        better = (seen.values > greatest[left]) | seen.done
        best[left[better]], greatest[left[better]] = x[better], seen.values[better]
        values, gradient = seen.values, seen.gradient
        if seen.done.any():
            stands = ~seen.done
            x, left, values = x[stands], left[stands], values[stands]
            gradient = None if gradient is None else gradient[stands]
            way.keep(stands)
        if gradient is not None and len(left):
            x = way.next(x, values, gradient, inside)
    return left


def fraction(step: float) -> float:
    """A step as a fraction of ε, checked: above 0, at most 2."""
    if number("step", step, 0, 2) == 0:
        raise ValueError("step, a fraction of eps, must be above 0, got 0")
    return float(step)
