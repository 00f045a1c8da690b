"""One network is trained. Everything random here but the regularizer's own draws is the same for every arm."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.data import Data
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.records.rows import share
from dropover.lab.streams import REGULARIZER, seeded
from dropover.lab.study import TrainingSettings
from dropover.lab.training.augmentation import augmented
from dropover.lab.training.course import Course, Epoch
from dropover.lab.training.rank import ALONE, Rank

# Batches between two reports: a fifth of a second or so.
_REPORT_EVERY = 10

Report = Callable[[float, Sequence[Epoch]], None]
"""Is told the share of a training that is done, and its epochs that are over."""


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


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
    report: Report = lambda _done, _epochs: None,
    checkpoints: Checkpoints | None = None,
    rank: Rank = ALONE,
) -> Trained:
    """Train `model` in place.

    Args:
        model: Maps images with pixels in [0, 1] to logits.
        data: Images to train on, and to measure each epoch on; their labels are on the model's device.
        settings: Epochs, batch size, optimiser and its schedule, augmentation.
        seed: The trial's seed, which the batches, their augmentation and the regularizer's numbers come from.
        label: The arm's name, for an error.
        test_batch: How many test images are scored at once.
        report: Called several times an epoch with the share of training done and the epochs that are over.
        checkpoints: Where the training is kept now and then, and goes on from: to the bit, as if it had never stopped.
        rank: What this process has of every batch; all of it, unless several train one net. Of these the first alone
            measures it, and has checkpoints.

    Raises:
        DivergedError: the loss became infinite or NaN.
    """
    count = len(data.train_images)
    batches = settings.batches(count)
    device = data.train_labels.device
    checkpoints = checkpoints or Checkpoints()
    course = Course(model, settings, seed, settings.epochs * batches, device)
    with seeded(seed, REGULARIZER, device), checkpoints.occasions():
        kept = rank.of_first(checkpoints.read)
        if kept is not None:
            course.load_state_dict(kept)
        joined = rank.join(model)
        while len(course.epochs) < settings.epochs:
            model.train()
            summed = _pass(joined, course, data, batches, settings, report, checkpoints, rank)
            if not math.isfinite(summed):
                raise DivergedError(
                    f"arm {label!r}, seed {seed}: the training loss is {summed} in epoch {len(course.epochs) + 1}: "
                    f"try a training.lr below {settings.lr}"
                )
            course.advance((len(course.epochs) + 1) / settings.epochs)
            course.end_epoch(rank.of_first(partial(_measured, model, data, summed / count, test_batch, seed)))
            report(len(course.epochs) / settings.epochs, tuple(course.epochs))
            if checkpoints.due(epoch_ends=True):
                checkpoints.write(course.state_dict())
    return Trained(course.epochs, course.seconds, settings.epochs * count / course.seconds)


def _pass(
    model: nn.Module,
    course: Course,
    data: Data,
    batches: int,
    settings: TrainingSettings,
    report: Report,
    checkpoints: Checkpoints,
    rank: Rank,
) -> float:
    """Train on the rest of an epoch, and return the sum of its images' losses, all of them."""
    started = time.perf_counter()
    # Even sizes, so that batch norm never meets a left-over batch of a single image.
    parts = course.order(len(data.train_images)).to(data.train_images.device).tensor_split(batches)
    rest = parts[len(course.losses) :]
    for part, (images, labels) in zip(rest, _batches(data, rest, settings.augment, course.changes, rank), strict=True):
        rank.begin(len(course.epochs) * batches + len(course.losses))
        course.advance((len(course.epochs) + len(course.losses) / batches) / settings.epochs)
        loss = rank.weighed(F.cross_entropy(model(images), labels), len(labels), len(part))
        course.step(loss, rank.mean(loss))
        if len(course.losses) % _REPORT_EVERY == 0:
            done = (len(course.epochs) + len(course.losses) / batches) / settings.epochs
            report(done, tuple(course.epochs))
        if checkpoints.due(epoch_ends=False):
            course.seconds += time.perf_counter() - started
            checkpoints.write(course.state_dict())
            started = time.perf_counter()
    losses: list[float] = torch.stack(course.losses).tolist()
    course.seconds += time.perf_counter() - started
    return sum(loss * len(part) for loss, part in zip(losses, parts, strict=True))


def _batches(
    data: Data, parts: Iterable[Tensor], augment: list[Literal["crop", "flip"]], changes: torch.Generator, rank: Rank
) -> Iterator[tuple[Tensor, Tensor]]:
    """This rank's share of the training images of these indices, augmented, and of their labels, on whose device."""
    device = data.train_labels.device
    for index in parts:
        # On bytes, which are a quarter of the floats; on all of them, so that each is changed as in one process.
        images = rank.share(augmented(data.train_images[index], augment, changes))
        yield pixels(images.to(device)), data.train_labels[rank.share(index).to(device)]


def _measured(model: nn.Module, data: Data, train_loss: float, test_batch: int, seed: int) -> Epoch:
    model.eval()
    logits = logits_on(model, Examples(data.test_images, data.test_labels, test_batch), seed)
    loss = F.cross_entropy(logits, data.test_labels)
    return Epoch(train_loss, float(loss), share(logits.argmax(1) == data.test_labels))
