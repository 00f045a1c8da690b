"""Steps that find their own length: Auto-PGD (Croce & Hein 2020, algorithm 1)."""

import math

import torch
from torch import Tensor

from dropover.lab.attacks.parts.climbing import Inside, climb
from dropover.lab.attacks.parts.losses import Loss
from dropover.lab.attacks.parts.task import Task

_MOMENTUM = 0.75
# Of the steps since the last checkpoint, the share that must have raised the loss for the step to keep its length.
_RISING = 0.75


def checkpoints(steps: int) -> list[int]:
    """The steps after which lengths are thought over: ⌈p_j · steps⌉, p = 0.22, then ever shorter periods to 0.06."""
    before, share, found = 0.0, 0.22, []
    while share <= 1:
        # Rounded before: 0.57 of 100 steps is 57.00000000000001 of them.
        found.append(math.ceil(round(share * steps, 9)))
        before, share = share, share + max(share - before - 0.03, 0.06)
    return found


class AdaptiveSteps:
    """Momentum steps that begin at 2ε. At a checkpoint an image that got no further halves its step and goes back.

    Args:
        task: What is attacked.
        eps: The radius.
        steps: How many steps there will be.
    """

    def __init__(self, task: Task, eps: float, steps: int) -> None:
        self._uphill, self._eps = task.norm.uphill, eps
        self._checkpoints, self._taken, self._last_check = checkpoints(steps), 0, 0
        self._state: dict[str, Tensor] = {}

    def next(self, x: Tensor, values: Tensor, gradient: Tensor, inside: Inside) -> Tensor:
        """See `Steps.next`."""
        if self._taken == 0:
            self._begin(x, values, gradient)
        else:
            x, gradient = self._take_stock(x, values, gradient)
        state = self._state
        ahead = inside(x + self._eps * state["length"][:, None, None, None] * self._uphill(gradient))
        moved = x + _MOMENTUM * (ahead - x) + (1 - _MOMENTUM) * (x - state["before"]) if self._taken else ahead
        state["before"] = x
        self._taken += 1
        return inside(moved)

    def keep(self, images: Tensor) -> None:
        """See `Steps.keep`."""
        self._state = {name: value[images] for name, value in self._state.items()}

    def _begin(self, x: Tensor, values: Tensor, gradient: Tensor) -> None:
        length = torch.full_like(values, 2.0)
        self._state = {
            "best": x.clone(), "best_value": values.clone(), "best_gradient": gradient.clone(),
            "value": values, "rises": torch.zeros_like(values), "length": length,
            "checked_length": length.clone(), "checked_value": values.clone(),
        }  # fmt: skip

    def _take_stock(self, x: Tensor, values: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        state = self._state
        state["rises"] = state["rises"] + (values > state["value"])
        state["value"] = values
        better = values > state["best_value"]
        for name, now in (("best", x), ("best_value", values), ("best_gradient", gradient)):
            state[name][better] = now[better]
        if self._taken not in self._checkpoints:
            return x, gradient
        few = state["rises"] < _RISING * (self._taken - self._last_check)
        no_better = (state["checked_length"] == state["length"]) & (state["checked_value"] == state["best_value"])
        back = few | no_better
        state["checked_length"], state["checked_value"] = state["length"], state["best_value"].clone()
        state["length"] = state["length"].where(~back, state["length"] / 2)
        state["rises"] = torch.zeros_like(values)
        self._last_check = self._taken
        x, gradient = x.clone(), gradient.clone()
        x[back], gradient[back] = state["best"][back], state["best_gradient"][back]
        return x, gradient


def climb_adaptively(task: Task, loss: Loss, steps: int, restarts: int) -> list[Tensor]:
    """`climb` by `AdaptiveSteps` from random starts."""
    return climb(task, loss, lambda eps: AdaptiveSteps(task, eps, steps), steps=steps, restarts=restarts)
