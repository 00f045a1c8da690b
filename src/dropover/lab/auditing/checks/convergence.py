"""Attacks have gone as far as they go: more of the same finds nothing more, and the margin has stopped rising."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from dropover.lab.auditing.checks import CHECKS, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.slopes import margins, slopes
from dropover.lab.auditing.subject import Subject

_FAMILY = "convergence"
_FEW = 0.02
_STEPS = 20
_LATE = 0.25
_REPEATED = "apgd-margin"


def _again(label: str, runs: tuple[Mapping[str, Any], ...], subject: Subject, evidence: Evidence) -> Reading:
    """More of an attack, at those of the standing images that are nearest to falling."""
    usual = next(each for each in subject.budget.attacks if each.attack == _REPEATED).settings["steps"]
    nearest = evidence.margin[evidence.standing].argsort(descending=True)[: subject.budget.probed // 2]
    which = evidence.standing[nearest]
    with evidence.attempt(subject, label, _FAMILY):
        for number, settings in enumerate(runs):
            left = which[evidence.stands[which]]
            attack = "pgd" if "step" in settings else _REPEATED
            more = {**settings, "steps": usual * settings.get("steps", 1)}
            evidence.take(subject, left, subject.attacked(left, f"{label} {number}", attack, **more), label)
    felled, tried = int((~evidence.stands[which]).sum()), len(evidence.attackable)
    said = f"{felled} of the {len(which)} images nearest to it fall that stood; {tried} are attacked in all"
    return Reading(felled, allowed(tried, _FEW), said)


def _flat(subject: Subject, evidence: Evidence) -> Reading:
    """A plain ascent of the margin, whose steps shrink from half ε on; of each image the best up to a step counts."""
    which, label = evidence.attackable[: subject.budget.probed], "margin along the steps"
    if not len(which):
        return Reading(0, _LATE, "the model gets no image right")
    clean = subject.images[which]
    off = subject.norm.uniform(subject.images, subject.generator(label))[which]
    x = (clean + subject.eps * off).clamp(0, 1)
    best, course = torch.full((len(which),), -torch.inf, device=clean.device), []
    for taken in range(_STEPS):
        found = slopes(subject, x, which, f"{label} {taken}", subject.draws)
        best = torch.fmax(best, found.margins)
        course.append(best)
        ahead = x + 0.5 * subject.eps * (1 - taken / _STEPS) * subject.norm.uphill(found.gradients)
        x = (clean + subject.norm.project(ahead - clean, subject.eps)).clamp(0, 1)
    course.append(torch.fmax(best, margins(subject, x, which, f"{label} {_STEPS}", subject.draws)))
    mean = torch.stack(course).double().nan_to_num(0, 0, 0).mean(1)
    evidence.curves["loss along the steps: ascent of the margin"] = [
        [float(taken), float(value)] for taken, value in enumerate(mean)
    ]
    whole, late = float(mean[-1] - mean[0]), float(mean[-1] - mean[-1 - _STEPS // 4])
    if whole <= 0:
        return Reading(1, _LATE, "the margin doesn't rise at all")
    return Reading(late / whole, _LATE, f"{100 * late / whole:.0f} % of the margin's rise is made in the last quarter")


_ADVICE = "Audit with a larger budget; where that doesn't help, see what the checks of gradients say."
for _name, _runs in (
    ("twice the steps", ({"steps": 2},)),
    ("more restarts", ({"restarts": 2},)),
    ("other step sizes", ({"step": 0.1}, {"step": 0.5})),
):
    CHECKS.add(
        Check(
            _name,
            _FAMILY,
            "An attack that finds more when it gets more of the same hadn't done its work.",
            "2 images in 100, chosen: docs/audit.md has what sound nets come to",
            _ADVICE,
            partial(_again, _name, _runs),
        )
    )
CHECKS.add(
    Check(
        "the loss has flattened",
        _FAMILY,
        "A loss that still rises at the end of an attack would rise further.",
        "a quarter is what a straight line does",
        _ADVICE,
        _flat,
    )
)
