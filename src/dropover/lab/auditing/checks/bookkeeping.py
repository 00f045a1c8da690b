"""The sums are right: nothing happens at ε = 0, every image is in its ball and box, and scored again it is the same."""

import torch
from torch import Tensor

from dropover.lab.auditing.checks import CHECKS, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject

_ROUNDING = 1e-5
"""What float32 may add to a length or a logit, as a share of it."""
_WAVERING = 0.05
"""Of images whose inference is random, those that a majority of votes may call otherwise the next time."""
_FAMILY = "bookkeeping"


def _nothing(subject: Subject, evidence: Evidence) -> Reading:
    everything = torch.arange(len(subject.labels), device=subject.labels.device)
    found = subject.attacked(everything, "no ball", "pgd", eps=0.0)
    same = torch.equal(found, subject.images)
    differ = int((subject.right(found, everything, "clean") != evidence.right).sum())
    said = f"{differ} of {len(everything)} images are scored otherwise" + ("" if same else "; they were changed")
    return Reading(differ + (not same), 0, said)


def _inside(subject: Subject, evidence: Evidence) -> Reading:
    """In float64, in units of ε and of the box's side."""
    worst, clean = evidence.worst.double(), subject.images.double()
    ball = float((subject.norm.length(worst - clean) / subject.eps - 1).amax().clamp_min(0))
    box = float(torch.maximum(-worst, worst - 1).amax().clamp_min(0).abs())
    return Reading(max(ball, box), _ROUNDING, f"{ball:.1e} of ε beyond the ball, {box:.1e} beyond [0, 1]")


def _alone(subject: Subject, evidence: Evidence) -> Reading:
    """One by one, and all in another order: what else is in the batch must not matter."""
    count = min(subject.budget.probed, len(subject.labels))
    few = torch.arange(count, device=subject.labels.device)
    mixed = torch.randperm(len(subject.labels), generator=subject.generator("another order")).to(few.device)
    in_order = subject.logits(evidence.worst)
    alone = torch.cat([subject.logits(evidence.worst[index : index + 1]) for index in range(count)])
    shuffled = torch.empty_like(in_order)
    shuffled[mixed] = subject.logits(evidence.worst[mixed])
    differ = int(_differ(in_order[:count], alone).sum()), int(_differ(in_order, shuffled).sum())
    said = f"{differ[0]} of {count} images have another class alone, {differ[1]} of {len(mixed)} in another order"
    if subject.random:
        return Reading(0, 0, "not asked: inference is random, so that two passes differ anyway")
    return Reading(sum(differ), 0, said)


def _differ(first: Tensor, second: Tensor) -> Tensor:
    """Where classes differ by more than rounding (bool, n)."""
    classes = first.argmax(1), second.argmax(1)
    lead = first.gather(1, classes[0][:, None]) - first.gather(1, classes[1][:, None])
    return (classes[0] != classes[1]) & (lead.squeeze(1) > 10 * _ROUNDING * first.abs().amax(1))


def _afresh(subject: Subject, evidence: Evidence) -> Reading:
    """Those that don't fall again stand again: nothing is claimed to have fallen by one lucky draw."""
    which = (evidence.right & ~evidence.stands).nonzero().squeeze(1)
    back = which[subject.right(evidence.worst[which], which, "afresh", 2 * subject.votes - 1)]
    evidence.stands[back] = True
    for place in back.tolist():
        evidence.felled_by[place] = ""
    most = allowed(len(which), _WAVERING) if subject.random else 0
    return Reading(len(back), most, f"{len(back)} of {len(which)} images that had fallen are right again")


_CHANGES = (
    "The model's answer depends on more than the image: put it in evaluation mode, and look for what it remembers."
)

CHECKS.add(
    Check(
        "nothing at ε = 0",
        _FAMILY,
        "A ball of radius 0 holds the clean image alone, so that the accuracy must be the clean one.",
        "exact",
        _CHANGES,
        _nothing,
    )
)
CHECKS.add(
    Check(
        "inside ball and box",
        _FAMILY,
        "An image outside of the ball or of [0, 1] proves nothing.",
        "the rounding of float32",
        "This is a mistake in an attack: please report it.",
        _inside,
    )
)
CHECKS.add(
    Check(
        "alone and in a batch",
        _FAMILY,
        "A model whose answer depends on what else is in the batch can't be attacked image by image, nor trusted so.",
        "exact but for logits that rounding could turn",
        _CHANGES,
        _alone,
    )
)
CHECKS.add(
    Check(
        "scored afresh",
        _FAMILY,
        "What fell must fall again: else it was a lucky draw, or the model remembers what it was asked.",
        f"exact; where inference is random, {100 * _WAVERING:.0f} in 100 may waver about a majority",
        _CHANGES,
        _afresh,
    )
)
