"""What is easier to attack falls no later: more ε, more steps, and no ball at all."""

import math
from functools import partial

import torch

from dropover.lab.auditing.budgets import WHITE_BOX
from dropover.lab.auditing.checks import CHECKS, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject

_FAMILY = "order"
_FEW = 0.01
_WAVERING = 0.05
_SHORT = {"steps": 5, "step": 0.25}


def _more(subject: Subject, evidence: Evidence) -> Reading:
    """Independent short attacks at half ε, ε and twice ε: images that fall in a ball and stand in a larger one."""
    which, label = evidence.attackable[: 2 * subject.budget.probed], "other ε"
    stands = []
    with evidence.attempt(subject, label, _FAMILY):
        for share in (0.5, 1.0, 2.0):
            found = subject.attacked(which, f"{label} {share}", "pgd", eps=share * subject.eps, **_SHORT)
            if share <= 1:
                evidence.take(subject, which, found, label)
            stands.append(subject.right(found, which, f"scoring {label} {share}"))
    turned = (stands[1] & ~stands[0]) | (stands[2] & ~(stands[0] & stands[1]))
    said = f"{int(turned.sum())} of {len(which)} images fall in a ball and stand in a larger one"
    return Reading(int(turned.sum()), allowed(len(which), _WAVERING if subject.random else _FEW), said)


def _one_step(subject: Subject, evidence: Evidence) -> Reading:
    """One step from the image, and one from a random point, at images that the iterated attacks left standing."""
    iterated = {each.label for each in evidence.attempts if each.role == WHITE_BOX}
    left = [place for place in evidence.attackable.tolist() if evidence.felled_by[place] not in iterated]
    which, label = torch.tensor(left, dtype=torch.long, device=subject.labels.device), "one step"
    felled = torch.zeros(len(which), dtype=torch.bool, device=which.device)
    with evidence.attempt(subject, label, _FAMILY):
        for attack, settings in (("fgsm", {}), ("pgd", {"steps": 1, "step": 1.0})):
            found = subject.attacked(which, f"{label} {attack}", attack, **settings)
            evidence.take(subject, which, found, label)
            felled |= ~subject.right(found, which, f"scoring {label} {attack}")
    count, tried = int(felled.sum()), len(evidence.attackable)
    said = f"{count} of {tried} images fall to one step and to no iterated attack"
    return Reading(count, allowed(tried, _FEW), said)


def _huge(share: float, tolerated: float, subject: Subject, evidence: Evidence) -> Reading:
    """Attacks in a ball of so large a part of the whole box, one after the other, on images that stand up to then."""
    which = evidence.attackable[: subject.budget.probed]
    whole = 1.0 if subject.norm.name == "linf" else math.sqrt(subject.images[0].numel())
    tried, standing = len(which), which
    for number, (attack, steps) in enumerate((("apgd-margin", 10), ("pgd", 20), ("apgd-margin", 40))):
        label = f"ball of {share} box {number}"
        settings = {"step": 0.1} if attack == "pgd" else {}
        found = subject.attacked(standing, label, attack, eps=share * whole, steps=steps, **settings)
        standing = standing[subject.right(found, standing, f"scoring {label}")]
    said = f"{len(standing)} of {tried} images stand at ε = {share * whole:g}"
    return Reading(len(standing), allowed(tried, tolerated) if tolerated else 0, said)


def _chance(subject: Subject, evidence: Evidence) -> Reading:
    """At half the box one grey image is in every ball, so that at most one class can stand."""
    classes = torch.bincount(subject.labels[evidence.right])
    most = int(classes.amax()) / int(classes.sum()) if len(evidence.attackable) else 0.0
    return _huge(0.5, most, subject, evidence)


for _name, _why, _source, _make in (
    (
        "more ε never helps",
        "A larger ball holds the smaller one: an attack that finds less in it was led astray.",
        "1 image in 100 at a boundary where attacks are short; 5 where inference is random",
        _more,
    ),
    (
        "more steps than one",
        "An iterated attack that finds less than its first step was led astray, as nets learn to do to a known attack.",
        "1 image in 100",
        _one_step,
    ),
    (
        "a huge ball leaves chance",
        "Where ε is half the box a grey image is in every ball, and only one class can be right about it.",
        "the share of the most frequent class",
        _chance,
    ),
    (
        "no ball, no image stands",
        "An attack that may do anything and fails is a failing attack.",
        "exact",
        partial(_huge, 1.0, 0.0),
    ),
):
    _advice = "Trust no attack that reads this model's gradient; see what the checks of gradients say."
    CHECKS.add(Check(_name, _FAMILY, _why, _source, _advice, _make))
