"""What an audit has found up to now: the worst image of each, what felled it, what was tried and what it cost."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dropover.lab.attacks.parts.losses import margin
from dropover.lab.auditing.subject import Subject


@dataclass(frozen=True)
class Attempt:
    """One thing that was tried on images that stood: how many there were, how many fell, and what it cost.

    Attributes:
        label: What it is called.
        role: What it is for: one of `budgets`, or the check that made it.
        attacked: How many images stood before.
        felled: How many of them did not stand after.
        gradients: Of how many images a gradient was taken, each draw counted.
        forwards: How many images passed the model.
        seconds: Wall time.
    """

    label: str
    role: str
    attacked: int
    felled: int
    gradients: int
    forwards: int
    seconds: float


@dataclass
class Evidence:
    """Of N images: the worst that was found of each, in the ball and with pixels in [0, 1].

    Attributes:
        worst: (N, C, H, W), an image that the model gets wrong if one was found, else that of the smallest margin.
        margin: (N,), the margin of the best wrong logit in `worst`.
        stands: Whether the model still gets it right (bool, N); what it got wrong from the beginning doesn't.
        right: Whether it got the clean one right (bool, N).
        felled_by: The label of the attempt that felled it, "" where none did (N).
        attempts: What was tried.
        curves: What pictures are drawn of: named lists of numbers.
    """

    worst: Tensor
    margin: Tensor
    stands: Tensor
    right: Tensor
    felled_by: list[str]
    attempts: list[Attempt] = field(default_factory=list)
    curves: dict[str, list[list[float]]] = field(default_factory=dict)

    @classmethod
    def of_clean(cls, subject: Subject) -> "Evidence":
        """Before anything was tried."""
        everything = torch.arange(len(subject.labels), device=subject.labels.device)
        right = subject.right(subject.images, everything, "clean")
        away = margin(subject.clean, subject.labels)
        return cls(subject.images.clone(), away, right.clone(), right, [""] * len(right))

    @property
    def standing(self) -> Tensor:
        """The images that stand, by number."""
        return self.stands.nonzero().squeeze(1)

    def nearest(self, share: float) -> Tensor:
        """The share of the standing images, by number, whose worst so far leaves the right class the least lead."""
        which = self.standing
        count = math.ceil(share * len(which))
        return which[self.margin[which].topk(count).indices].sort().values

    @property
    def attackable(self) -> Tensor:
        """The images that were right when clean, by number."""
        return self.right.nonzero().squeeze(1)

    def felled(self, *roles: str) -> int:
        """How many images attempts of these roles have felled."""
        return sum(each.felled for each in self.attempts if each.role in roles)

    def take(self, subject: Subject, which: Tensor, images: Tensor, label: str) -> int:
        """Score images (n, C, H, W) afresh that something made of the images `which` (n,), and keep those that help.

        What lies outside of the ball is moved into it first. Returns how many fell that stood before.
        """
        inside = within(subject, images, which)
        logits = subject.logits(inside, f"margins of {label}")
        away = margin(logits, subject.labels[which]).nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        fell = ~subject.right(inside, which, f"scoring {label}") & self.stands[which]
        better = fell | ((away > self.margin[which]) & self.stands[which])
        self.worst[which[better]], self.margin[which[better]] = inside[better], away[better]
        self.stands[which[fell]] = False
        for place in which[fell].tolist():
            self.felled_by[place] = label
        return int(fell.sum())

    @contextmanager
    def attempt(self, subject: Subject, label: str, role: str) -> Iterator[None]:
        """Note what is tried inside: which images it fells, and what it costs."""
        model, before, started = subject.model, int(self.stands.sum()), time.perf_counter()
        gradients, forwards = model.gradients, model.forwards
        yield
        cost = model.gradients - gradients, model.forwards - forwards, time.perf_counter() - started
        self.attempts.append(Attempt(label, role, before, before - int(self.stands.sum()), *cost))


def within(subject: Subject, images: Tensor, which: Tensor) -> Tensor:
    """Images (n, C, H, W) moved into the ball around the images `which` (n,), and their pixels into [0, 1].

    Pixels that are no numbers are those of the clean images.
    """
    centre = subject.images[which]
    images = images.where(images.isfinite(), centre)
    return (centre + subject.norm.project(images - centre, subject.eps)).clamp(0, 1)
