"""How many draws a gradient is averaged over where inference is random: until two averages agree."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from dropover.lab.auditing.slopes import slopes
from dropover.lab.auditing.subject import Subject
from dropover.lab.data.parts.loading import balanced_prefix

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
    few = torch.arange(min(subject.budget.probed, len(subject.labels)), device=subject.labels.device)
    first, second = (
        slopes(subject, subject.images[few], few, f"draws {draws} {half}", draws).gradients.flatten(1)
        for half in ("one", "other")
    )
    return float(F.cosine_similarity(first, second).median())
