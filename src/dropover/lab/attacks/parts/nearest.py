"""The nearest adversarial images that a search has met: what attacks without a ball give for every ε."""

import torch
from torch import Tensor

from dropover.lab.attacks.parts.task import Task


class Nearest:
    """The nearest adversarial image of each of a task's images, and its distance (N,); infinite until there is one."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._images = task.images.clone()
        self.distance = torch.full((len(task.images),), torch.inf, device=task.images.device)

    def keep(self, x: Tensor, which: Tensor, fallen: Tensor | None = None) -> Tensor:
        """Keep those of `x`, made from the images `which`, that have fallen and are nearer; the mask of the fallen.

        Without `fallen` the model is asked.
        """
        if fallen is None:
            fallen = self._task.fells(x, which)
        distance = self._task.norm.length(x - self._task.images[which])
        better = fallen & (distance < self.distance[which])
        self._images[which[better]], self.distance[which[better]] = x[better], distance[better]
        return fallen

    def stands(self, which: Tensor) -> Tensor:
        """Which of the images `which` have not fallen in the smallest ball (bool, n): of the others all is known.

        Where inference is random, none has ever fallen.
        """
        smallest = min((eps for eps in self._task.eps if eps > 0), default=0)
        return (self.distance[which] > smallest) | self._task.clean.random

    def within_each_ball(self) -> list[Tensor]:
        """For each ε the images (N, C, H, W): the nearest one where it is in the ball, else the clean one."""
        near = [self.distance <= eps for eps in self._task.eps]
        return [torch.where(each[:, None, None, None], self._images, self._task.images) for each in near]
