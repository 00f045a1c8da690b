"""Projected gradient ascent: the loop that every iterative gradient attack shares, and steps of one length."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from dropover.lab.attacks.parts.losses import Loss
from dropover.lab.attacks.parts.task import Ball, Task
from dropover.validation import number, whole

Inside = Callable[[Tensor], Tensor]


class Steps(Protocol):
    """How the next point of a climb follows from the last one."""

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        """The next points, inside the ball, from points, their losses (N,) and gradients."""

    def keep(self, images: Tensor) -> None:
        """Go on with those images alone for which the mask (N,) is true."""


class _FixedSteps:
    def __init__(self, ball: Ball, step: float) -> None:
        self._uphill, self._length = ball.task.norm.uphill, step * ball.eps

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        return inside(x + self._length * self._uphill(gradient))

    def keep(self, images: Tensor) -> None:
        """Nothing is remembered of any."""


def fixed_steps(step: float) -> Callable[[Ball], Steps]:
    """Steps of one length, as in BIM and PGD: a fraction of ε, above 0, at most 2."""
    if number("step", step, 0, 2) == 0:
        raise ValueError("step, a fraction of eps, must be above 0, got 0")
    return lambda ball: _FixedSteps(ball, float(step))


def climb(
    task: Task,
    loss: Loss,
    make_steps: Callable[[Ball], Steps],
    *,
    steps: int,
    restarts: int = 1,
    random_start: bool = True,
    towards: Sequence[Tensor | None] = (None,),
) -> list[Tensor]:
    """Climb `loss` within each ε of the images and keep the best image found.

    A model whose inference is random has no images that have fallen; there the best is the one of the greatest loss.

    There are `restarts` climbs in each ball, at least 1, which begin at a random point of it, or else at the clean
    image. Each has `steps` steps, at least 1, which `make_steps` makes for it. With `towards`, as many for each of
    these classes (N,), to which the loss pulls; None are the task's own.
    """
    whole("steps", steps, 1)
    whole("restarts", restarts, 1)
    # A loss that doesn't fit the number of classes says so before any work is done.
    tasks = [replace(task, toward=toward) for toward in towards]
    for each in tasks:
        none, aim = each.open[:0], each.aim
        loss(task.clean.logits[none], task.labels[none], None if aim is None else aim[none])
    generator = task.generator()
    # Drawn for all images and before anything else, so that they are the same for every model.
    starts = [task.norm.uniform(task.images, generator) if random_start else None for _ in range(restarts)]

    def search(ball: Ball, standing: Tensor) -> Tensor:
        for aimed in [replace(ball, task=each) for each in tasks]:
            for start in starts:
                pieces = task.pieces(standing)
                ends = [_climb_once(aimed, loss, make_steps(aimed), steps, start, piece) for piece in pieces]
                standing = torch.cat([standing[:0], *ends])
        return standing

    return task.in_each_ball(search, torch.full((len(task.images),), -torch.inf, device=task.images.device))


def _climb_once(ball: Ball, loss: Loss, way: Steps, steps: int, start: Tensor | None, standing: Tensor) -> Tensor:
    """One climb of the images `standing`, of which the ball keeps the best; returns those that have not fallen."""

    def inside(point: Tensor) -> Tensor:
        return ball.inside(point, standing)

    x = ball.task.images[standing]
    if start is not None:
        x = inside(x + ball.eps * start[standing])
    for taken in range(steps + 1):
        if not len(standing):
            break
        response = ball.task.response(x, standing, loss, gradient=taken < steps)
        ball.keep(x, standing, response)
        if response.fallen.any():
            stands = ~response.fallen
            x, standing, response = x[stands], standing[stands], response.of(stands)
            way.keep(stands)
        if response.gradient is not None and len(standing):
            x = way.next(x, response.values, response.gradient, inside)
    return standing
