"""One network is trained. Everything random here but the regularizer's own draws is the same for every arm."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

from dropover.lab.data import Data
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.models.parts.placed_layers import parameters_of
from dropover.lab.records.rows import share
from dropover.lab.streams import AUGMENTATION, BATCHES, REGULARIZER, generator, seeded
from dropover.lab.study import TrainingSettings
from dropover.lab.training.augmentation import augmented

# Batches between two reports: a fifth of a second or so.
_REPORT_EVERY = 10


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: the mean loss in it, under the regularizer, and what is measured after it.

    That is in evaluation mode, the accuracy in [0, 1].
    """

    train_loss: float
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class Trained:
    """Every epoch's figures, and the wall time of training alone, evaluation left out."""

    epochs: list[Epoch]
    seconds: float
    images_per_second: float


def train(
    model: nn.Module,
    data: Data,
    settings: TrainingSettings,
    seed: int,
    label: str,
    test_batch: int = 250,
    report: Callable[[float, float | None], None] = lambda _done, _accuracy: None,
) -> Trained:
    """Train `model` in place.

    Args:
        model: Maps images with pixels in [0, 1] to logits.
        data: Images to train on, and to measure each epoch on; their labels are on the model's device.
        settings: Epochs, batch size, optimiser and its schedule, augmentation.
        seed: The trial's seed, which the batches, their augmentation and the regularizer's numbers come from.
        label: The arm's name, for an error.
        test_batch: How many test images are scored at once.
        report: Called several times an epoch with the share of training done and the last epoch's test accuracy.

    Raises:
        DivergedError: the loss became infinite or NaN.
    """
    count = len(data.train_images)
    batches = math.ceil(count / settings.batch_size)
    optimizer = _optimizer(model, settings)
    annealing = CosineAnnealingLR(optimizer, settings.epochs * batches) if settings.schedule == "cosine" else None
    order, changes = generator(seed, BATCHES), generator(seed, AUGMENTATION)
    epochs: list[Epoch] = []
    seconds = 0.0
    with seeded(seed, REGULARIZER, data.train_labels.device):
        for number in range(settings.epochs):
            started = time.perf_counter()
            model.train()
            losses: list[Tensor] = []
            sizes: list[int] = []
            for index, (images, labels) in enumerate(_batches(data, batches, order, settings.augment, changes)):
                loss = F.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                if annealing is not None:
                    annealing.step()
                losses.append(loss.detach())  # not read yet: that would wait for the device at every step
                sizes.append(len(labels))
                if index % _REPORT_EVERY == _REPORT_EVERY - 1:
                    done = (number + (index + 1) / batches) / settings.epochs
                    report(done, epochs[-1].test_accuracy if epochs else None)
            summed = sum(loss * size for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True))
            seconds += time.perf_counter() - started
            if not math.isfinite(summed):
                raise DivergedError(
                    f"arm {label!r}, seed {seed}: the training loss is {summed} in epoch {number + 1}: "
                    f"try a training.lr below {settings.lr}"
                )
            epochs.append(_measured(model, data, summed / count, test_batch, seed))
            report((number + 1) / settings.epochs, epochs[-1].test_accuracy)
    return Trained(epochs, seconds, settings.epochs * count / seconds)


def _optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The fused kernels update all weights in one call: with nets this small the calls are what costs."""
    weights, decay = parameters_of(model), settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(weights, settings.lr, weight_decay=decay, fused=True)
    return torch.optim.SGD(weights, settings.lr, settings.momentum, weight_decay=decay, fused=True)


def _batches(
    data: Data, count: int, order: torch.Generator, augment: list[Literal["crop", "flip"]], changes: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """All training images in random order, in `count` batches whose sizes differ by one at most, augmented.

    They come on the device of their labels, wherever the images are.
    Even sizes, so that batch norm never meets a left-over batch of a single image.
    """
    device = data.train_labels.device
    shuffled = torch.randperm(len(data.train_images), generator=order).to(data.train_images.device)
    for index in shuffled.tensor_split(count):
        # On bytes, which are a quarter of the floats.
        images = augmented(data.train_images[index], augment, changes)
        yield pixels(images.to(device)), data.train_labels[index.to(device)]


def _measured(model: nn.Module, data: Data, train_loss: float, test_batch: int, seed: int) -> Epoch:
    model.eval()
    logits = logits_on(model, Examples(data.test_images, data.test_labels, test_batch), seed)
    loss = F.cross_entropy(logits, data.test_labels)
    return Epoch(train_loss, float(loss), share(logits.argmax(1) == data.test_labels))
