"""A slice of the loss surface: the margin around an image, along the attack's direction and across it."""

import torch
from torch import Tensor

from dropover.lab.attacks.parts.losses import margin
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject

SURFACE = "surface"
"""Its name among the evidence's curves: lists of (along, across, margin), the first two in units of ε."""
_SIDE = 21


def draw_surface(subject: Subject, evidence: Evidence) -> None:
    """Put the slice through one image among the curves; none where no image was right when clean.

    Of images that stand it is the one that is nearest to falling, and where all have fallen the first. Along goes the
    way to the worst that was found of it, across a random one of the same length; pixels are kept in [0, 1].
    """
    which = _shown(evidence)
    if which is None:
        return
    image = subject.images[which : which + 1]
    along, across = _along(subject, evidence, which), _across(subject, image)
    ticks = torch.linspace(-1, 1, _SIDE, device=image.device)
    places = torch.cartesian_prod(ticks, ticks)
    first, second = places[:, :, None, None, None].unbind(1)
    logits = subject.logits((image + first * along + second * across).clamp(0, 1), SURFACE)
    heights = margin(logits, subject.labels[which].expand(len(places)))
    rows = torch.cat([places, heights[:, None]], 1)
    evidence.curves[SURFACE] = [row for row in rows.tolist() if all(map(_is_finite, row))]


def _shown(evidence: Evidence) -> int | None:
    standing, right = evidence.standing, evidence.attackable
    if len(standing):
        return int(standing[evidence.margin[standing].argmax()])
    return int(right[0]) if len(right) else None


def _along(subject: Subject, evidence: Evidence, which: int) -> Tensor:
    """The perturbation that was found, of the length ε."""
    found = evidence.worst[which : which + 1] - subject.images[which : which + 1]
    length = subject.norm.length(found)
    return found * (subject.eps / length)[:, None, None, None] if float(length) else _across(subject, found, "along")


def _across(subject: Subject, image: Tensor, name: str = SURFACE) -> Tensor:
    drawn = torch.randn(image.shape, generator=subject.generator(name)).to(image.device)
    return subject.eps * subject.norm.uphill(drawn)


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")
