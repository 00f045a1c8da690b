"""A training under way: all that changes from batch to batch, to be put down after any of them and taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from dropover.insertion import regularizers
from dropover.lab.models.parts.placed_layers import load_net_state, net_state, parameters_of
from dropover.lab.streams import AUGMENTATION, BATCHES, generator, go_on, random_states
from dropover.lab.study import TrainingSettings
from dropover.progress import advance


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: the mean loss in it, under the regularizer, and what is measured after it.

    That is in evaluation mode, the accuracy in [0, 1].
    """

    train_loss: float
    test_loss: float
    test_accuracy: float


class Course:
    """Weights, optimizer and its schedule, random numbers, losses and figures so far.

    Attributes:
        losses: Of each batch of the present epoch that is done.
        epochs: Figures of those that are over.
        seconds: How long training took, evaluation left out.
        changes: What augmentation draws from.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings, seed: int, steps: int, device: torch.device):
        self.losses: list[Tensor] = []
        self.epochs: list[Epoch] = []
        self.seconds = 0.0
        self.changes = generator(seed, AUGMENTATION)
        self._model, self._device = model, device
        self._scheduled = any(layer.scheduled for layer in regularizers(model))
        self._optimizer = _optimizer(model, settings)
        self._annealing = CosineAnnealingLR(self._optimizer, steps) if settings.schedule == "cosine" else None
        self._order = generator(seed, BATCHES)
        self._drawn_from = self._order.get_state()

    def order(self, count: int) -> Tensor:
        """The order of as many images in the present epoch."""
        return torch.randperm(count, generator=self._order)

    def advance(self, done: float) -> None:
        """Have scheduled rates be what they are when so much of training is done, a share in [0, 1]."""
        if self._scheduled:
            advance(self._model, done)

    def step(self, loss: Tensor, mean: Tensor) -> None:
        """Learn from a batch: from the loss of what this process has of it; `mean` is that of all its images."""
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if self._annealing is not None:
            self._annealing.step()
        self.losses.append(mean.detach())  # not read yet: that would wait for the device at every step

    def end_epoch(self, epoch: Epoch) -> None:
        """Add its figures and come to the next."""
        self.epochs.append(epoch)
        self.losses.clear()
        self._drawn_from = self._order.get_state()

    def state_dict(self) -> dict[str, Any]:
        """All of it, as tensors and plain data; `order` draws the present epoch's anew."""
        return {
            "model": net_state(self._model),
            "optimizer": self._optimizer.state_dict(),
            "annealing": None if self._annealing is None else self._annealing.state_dict(),
            "order": self._drawn_from,
            "changes": self.changes.get_state(),
            "random": random_states(self._device),
            "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
            "epochs": [vars(epoch) for epoch in self.epochs],
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there, in a course begun with the same settings."""
        load_net_state(self._model, state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._annealing is not None:
            self._annealing.load_state_dict(state["annealing"])
        self._drawn_from = state["order"]
        self._order.set_state(self._drawn_from)
        self.changes.set_state(state["changes"])
        self.losses = list(state["losses"].to(self._device))
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.seconds = state["seconds"]
        go_on(state["random"], self._device)


def _optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The fused kernels update all weights in one call: with nets this small the calls are what costs."""
    weights, decay = parameters_of(model), settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(weights, settings.lr, weight_decay=decay, fused=True)
    return torch.optim.SGD(weights, settings.lr, settings.momentum, weight_decay=decay, fused=True)
