"""How many draws a gradient is averaged over where inference is random: until two averages agree."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dropover.lab.attacks.parts.losses import margin
from dropover.lab.auditing.subject import Subject, stream
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.streams import seeded

AGREEMENT = 0.5
"""The cosine between two averages of a gradient that is enough: half of such an average's square is no chance then."""


def with_draws(subject: Subject) -> Subject:
    """The subject with the least of 1, 2, 4, … draws whose averaged gradients agree, at most the budget's.

    Two averages agree where the median over images of their cosine is at least `AGREEMENT`. Draws cost what images
    cost: of these there are as many fewer, but enough for the checks that need few.
    """
    if not subject.random:
        return subject
    draws = 1
    while draws < subject.budget.draws and agreement(subject, draws) < AGREEMENT:
        draws *= 2
    few = max(subject.budget.probed, 2 * (subject.budget.images or len(subject.labels)) // draws)
    chosen = balanced_prefix(subject.labels, min(few, len(subject.labels)))
    return replace(subject.part(chosen), draws=draws)


def agreement(subject: Subject, draws: int) -> float:
    """The median over images of the cosine between two gradients of the margin, each averaged over so many draws."""
    first, second = (_gradient(subject, draws, f"draws {draws} {half}") for half in ("one", "other"))
    return float(F.cosine_similarity(first, second).median())


def _gradient(subject: Subject, draws: int, name: str) -> Tensor:
    count = subject.budget.probed
    images, labels = subject.images[:count], subject.labels[:count]
    total = torch.zeros_like(images)
    with seeded(subject.seed, stream(name), images.device):
        for _ in range(draws):
            point = images.clone().requires_grad_()
            (slope,) = torch.autograd.grad(margin(subject.model(point), labels).sum(), point)
            total += slope
    return total.flatten(1)
