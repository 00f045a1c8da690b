"""Auto-PGD on the cross-entropy, the margin and the difference-of-logits ratio (Croce & Hein 2020)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.climbing import Inside, climb
from dropover.lab.attacks.parts.losses import cross_entropy, margin, margin_ratio
from dropover.lab.attacks.parts.task import Ball, Task, runners_up
from dropover.validation import whole

_MOMENTUM = 0.75
# Of the steps since the last checkpoint, the share that must have raised the loss for the step to keep its length.
_RISING = 0.75
# The classes that a targeted difference-of-logits ratio is made of.
_RATIO_NEEDS = 4


def apgd(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the cross-entropy with momentum and steps that halve where they stop paying.

    There are at least 1 of the `steps`, the paper's 100, and as many random starts as `restarts` says, at least 1.
    """
    return climb(task, cross_entropy, lambda ball: _AdaptiveSteps(ball, steps), steps=steps, restarts=restarts)


def apgd_margin(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the margin between logits, for two classes or three, where no ratio can be; otherwise like `apgd`."""
    return climb(task, margin, lambda ball: _AdaptiveSteps(ball, steps), steps=steps, restarts=restarts)


def apgd_dlr(task: Task, *, steps: int = 100, restarts: int = 1) -> list[Tensor]:
    """Climb the difference-of-logits ratio, otherwise like `apgd`."""
    return climb(task, margin_ratio, lambda ball: _AdaptiveSteps(ball, steps), steps=steps, restarts=restarts)


def apgd_t(task: Task, *, steps: int = 100, restarts: int = 1, classes: int = 9) -> list[Tensor]:
    """Climb the targeted difference-of-logits ratio towards one class after the other; any wrong class will do.

    The `classes` are those of the greatest wrong logits on the clean image, at least 1; otherwise like `apgd`. Where a
    model knows fewer than four, the ratio has no meaning and the margin of the class takes its place.
    """
    whole("classes", classes, 1)
    loss = margin_ratio if task.clean.logits.shape[1] >= _RATIO_NEEDS else margin

    def make(ball: Ball) -> _AdaptiveSteps:
        return _AdaptiveSteps(ball, steps)

    return climb(task, loss, make, steps=steps, restarts=restarts, towards=runners_up(task, classes))


def checkpoints(steps: int) -> list[int]:
    """The steps after which lengths are thought over: ⌈p_j · steps⌉, p = 0.22, then ever shorter periods to 0.06."""
    before, share, ends = 0.0, 0.22, []
    while share <= 1:
        # Rounded before: 0.57 of 100 steps is 57.00000000000001 of them.
        ends.append(math.ceil(round(share * steps, 9)))
        before, share = share, share + max(share - before - 0.03, 0.06)
    return ends


@dataclass
class _Memory:
    """What is remembered of each image; lengths are in units of ε, `checked_` is how it was at the last checkpoint."""

    before: Tensor
    value: Tensor
    best: Tensor
    best_value: Tensor
    best_gradient: Tensor
    length: Tensor
    checked_length: Tensor
    checked_value: Tensor
    rises: Tensor


class _AdaptiveSteps:
    """Momentum steps that begin at 2ε. At a checkpoint an image that got no further halves its step and goes back.

    See algorithm 1 of the paper.
    """

    def __init__(self, ball: Ball, steps: int) -> None:
        self._uphill, self._eps = ball.task.norm.uphill, ball.eps
        self._checkpoints, self._taken, self._last_check = checkpoints(steps), 0, 0
        self._memory: _Memory

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        if self._taken == 0:
            length, best = torch.full_like(values, 2.0), (x.clone(), values.clone(), gradient.clone())
            self._memory = _Memory(x, values, *best, length, length, values, torch.zeros_like(values))
        else:
            self._note(x, values, gradient)
        if self._taken in self._checkpoints:
            x, gradient = self._go_back_where_stuck(x, gradient)
        memory = self._memory
        ahead = inside(x + self._eps * memory.length[:, None, None, None] * self._uphill(gradient))
        moved = x + _MOMENTUM * (ahead - x) + (1 - _MOMENTUM) * (x - memory.before) if self._taken else ahead
        memory.before = x
        self._taken += 1
        return inside(moved)

    def keep(self, images: Tensor) -> None:
        if self._taken:
            self._memory = _Memory(*(each[images] for each in vars(self._memory).values()))

    def _note(self, x: Tensor, values: Tensor, gradient: Tensor) -> None:
        memory = self._memory
        memory.rises = memory.rises + (values > memory.value)
        memory.value = values
        better = values > memory.best_value
        for best, now in ((memory.best, x), (memory.best_value, values), (memory.best_gradient, gradient)):
            best[better] = now[better]

    def _go_back_where_stuck(self, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """A checkpoint: halves the steps of images that got no further, and returns these at their best points."""
        memory = self._memory
        few = memory.rises < _RISING * (self._taken - self._last_check)
        no_better = (memory.checked_length == memory.length) & (memory.checked_value == memory.best_value)
        stuck = few | no_better
        memory.checked_length, memory.checked_value = memory.length, memory.best_value.clone()
        memory.length = memory.length.where(~stuck, memory.length / 2)
        memory.rises = torch.zeros_like(memory.rises)
        self._last_check = self._taken
        x, gradient = x.clone(), gradient.clone()
        x[stuck], gradient[stuck] = memory.best[stuck], memory.best_gradient[stuck]
        return x, gradient


ATTACKS.add(Attack("apgd", ("apgd-ce",), "momentum steps that find their own length, up the cross-entropy", apgd))
_ANY_CLASSES = "like apgd on the margin between logits, for two classes or more"
ATTACKS.add(Attack("apgd-margin", (), _ANY_CLASSES, apgd_margin, loss="margin"))
_SCALE_FREE = "like apgd on the difference-of-logits ratio, which no logit scale hides"
ATTACKS.add(Attack("apgd-dlr", (), _SCALE_FREE, apgd_dlr, loss="margin"))
_ONE_BY_ONE = "like apgd-dlr towards one wrong class after the other"
ATTACKS.add(Attack("apgd-t", ("apgd-targeted",), _ONE_BY_ONE, apgd_t, loss="margin"))
