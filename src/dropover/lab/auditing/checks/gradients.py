"""Gradients tell the truth: they are there, they foretell what a step does, and nothing hides or breaks them."""

import torch
from torch import Tensor

from dropover.lab.auditing.checks import CHECKS, RISK, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.slopes import margins, slopes
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways.rescaled import Rescaled, probable

_FAMILY = "gradients"
_DRAWS = 4
"""Enough where inference is random, since a check sees the draws of one point again at the next."""
_LENGTHS = (1 / 4, 1 / 16, 1 / 64)
_OFF = 0.5
"""How much more or less than foretold a step may do, as a share, at the length where it is least."""
_FEW = 0.02
_HIDDEN = 0.05
_POINTS = 33
_JAGGED = 1.0
"""Of a line's second differences over its first: towards 0 where smooth, 4/3 of independent numbers, 2 of a zigzag."""
_ROUNDINGS = 4
"""What a difference of logits may owe to arithmetic, in units of `Watched.rounding`."""


def _there(subject: Subject, _evidence: Evidence) -> Reading:
    """At the clean image and at a random point of the ball."""
    which = _all(subject)
    zero, infinite = torch.zeros_like(which).bool(), ~subject.clean.isfinite().all(1)
    subject.model.tamed = False
    try:
        for points in (subject.images, _somewhere(subject, which, "gradients there")):
            found = slopes(subject, points, which, "gradients there", min(subject.draws, _DRAWS))
            infinite |= ~(found.gradients.flatten(1).isfinite().all(1) & found.margins.isfinite())
            zero |= (found.gradients == 0).flatten(1).all(1)
    finally:
        subject.model.tamed = True
    said = f"of {len(which)} images {int(zero.sum())} have none, and {int(infinite.sum())} logits or one not finite"
    return Reading(int((zero | infinite).sum()), 0, said)


def _foretells(subject: Subject, evidence: Evidence) -> Reading:
    """From a point such as attacks begin at. Steps stay in the box, since no image leaves it."""
    which, label, draws = evidence.attackable, "finite differences", min(subject.draws, _DRAWS)
    points = _somewhere(subject, which, label)
    found = slopes(subject, points, which, label, draws)
    uphill = subject.norm.uphill(found.gradients)
    off = torch.full_like(found.margins, torch.inf)
    for length in _LENGTHS:
        moved = (points + length * subject.eps * uphill).clamp(0, 1) - points
        foretold = (found.gradients * moved).flatten(1).sum(1)
        came = margins(subject, points + moved, which, label, draws) - found.margins
        off = torch.fmin(off, ((came - foretold).abs() - _roundings(subject)[which]).clamp_min(0) / foretold.abs())
    wrong = int((~(off <= _OFF)).sum())
    said = f"at {wrong} of {len(which)} images no step does what the gradient says, within {100 * _OFF:.0f} %"
    return Reading(wrong, allowed(len(which), _FEW), said)


def _unhidden(subject: Subject, evidence: Evidence) -> Reading:
    """Asked of images that no cross-entropy has felled, in more steps than are made here."""
    by_entropy = {each.label for each in subject.budget.attacks if each.attack in ("pgd", "apgd")}
    left = [place for place in evidence.attackable.tolist() if evidence.felled_by[place] not in by_entropy]
    which, label = torch.tensor(left, dtype=torch.long, device=subject.labels.device), "logit scale"

    def falls(there: Subject, which: Tensor, attack: str) -> Tensor:
        found = there.attacked(which, label, attack, steps=5, step=0.25)
        evidence.take(subject, which, found, label)
        return ~subject.right(found, which, label)

    with evidence.attempt(subject, label, _FAMILY):
        alike = subject.with_model(Rescaled(subject.model, bool(probable(subject.clean).all())))
        felled = falls(alike, which, "pgd")
        if subject.classes > 2:
            felled[~felled] = falls(subject, which[~felled], "pgd-margin")
        gained = int((~falls(subject, which[felled], "pgd")).sum())
    tried = len(evidence.attackable)
    said = (
        f"{gained} of {tried} images fall to a margin or to rescaled logits, and to no cross-entropy in as many steps"
    )
    return Reading(gained, allowed(tried, _HIDDEN), said)


def _logits(subject: Subject, _evidence: Evidence) -> Reading:
    count = int(probable(subject.clean).sum())
    return Reading(count, 0, f"{count} of {len(subject.clean)} outputs are at least 0 and add up to 1")


def _classes(subject: Subject, _evidence: Evidence) -> Reading:
    """Not asked where so few images of so many classes could well leave the last ones out."""
    classes, images, known = subject.classes, len(subject.labels), int(subject.labels.max()) + 1
    if (1 - 1 / classes) ** images > RISK / len(CHECKS.names()):
        return Reading(
            0, 0, f"not asked: {images} images are too few to tell whether {classes} outputs are all classes"
        )
    return Reading(classes - known, 0, f"{classes} outputs, and labels below {known}")


def _smooth(subject: Subject, evidence: Evidence) -> Reading:
    """Along the attack's line from the image, and along a random one."""
    which, label = evidence.attackable[: subject.budget.probed], "lines"
    draws = min(subject.draws, _DRAWS)
    images = subject.images[which]
    random = torch.randn(images.shape, generator=subject.generator(label)).to(images.device)
    rough = torch.zeros(len(which), device=images.device)
    for way in (slopes(subject, images, which, label, draws).gradients, random):
        step = subject.eps * subject.norm.uphill(way)
        shares = torch.linspace(0, 1, _POINTS).tolist()
        line = [margins(subject, (images + share * step).clamp(0, 1), which, label, draws) for share in shares]
        rises = torch.stack(line).diff(dim=0)
        bends = (rises.diff(dim=0).abs() - _roundings(subject)[which]).clamp_min(0)
        rough = torch.maximum(rough, (bends.sum(0) / rises.abs().sum(0)).nan_to_num(0, 0, 0))
    jagged = int((rough > _JAGGED).sum())
    said = f"around {jagged} of {len(which)} images the margin turns at every other point of a line"
    return Reading(jagged, allowed(len(which), _FEW), said)


def _all(subject: Subject) -> Tensor:
    return torch.arange(len(subject.labels), device=subject.labels.device)


def _somewhere(subject: Subject, which: Tensor, label: str) -> Tensor:
    """A point of the ball and the box for each of the images `which`, as attacks begin at."""
    off = subject.norm.uniform(subject.images, subject.generator(label))
    return (subject.images + subject.eps * off).clamp(0, 1)[which]


def _roundings(subject: Subject) -> Tensor:
    """By how much two margins of an image may differ for nothing (N,)."""
    return _ROUNDINGS * subject.model.rounding * subject.clean.nan_to_num(0, 0, 0).abs().amax(1)


_PANEL = "chosen: docs/audit.md has what sound nets come to"

for _name, _why, _source, _advice, _make in (
    (
        "gradients there",
        "Where a gradient is missing, 0 or not finite, no attack that follows it goes anywhere.",
        "exact",
        "Look for rounding, thresholds, `detach` and saturated functions, and attack through or around them.",
        _there,
    ),
    (
        "gradients foretell",
        "A gradient that says another thing than a small step does is not the model's: attacks are led astray.",
        f"2 images in 100; {_PANEL}",
        "Look for operations whose backward isn't their derivative, and for functions that jump.",
        _foretells,
    ),
    (
        "logit scale",
        "Where logits are large, a cross-entropy's gradient vanishes, and a margin's finds what it doesn't.",
        "5 images in 100, chosen: docs/audit.md has what sound nets come to",
        "Believe attacks on the margin; divide the logits by their scale before they are attacked.",
        _unhidden,
    ),
    (
        "logits",
        "Probabilities saturate: what rounds to 0 or 1 has no gradient left.",
        "exact",
        "Have the model return what goes into its softmax.",
        _logits,
    ),
    (
        "outputs are the classes",
        "An output that no image has as its class lets a model abstain, which is no misclassification that counts.",
        "exact, where there are images enough",
        "Say what an abstention counts as: leave that output out, or audit with images of every class.",
        _classes,
    ),
    (
        "not jagged",
        "A margin that goes up and down all along a line has gradients that say nothing of the way ahead.",
        f"a roughness above 1 at 2 images in 100; {_PANEL}",
        "Attack a smoothed copy: gradients averaged over noise.",
        _smooth,
    ),
):
    CHECKS.add(Check(_name, _FAMILY, _why, _source, _advice, _make))
