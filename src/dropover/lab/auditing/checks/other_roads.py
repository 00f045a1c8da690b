"""Attacks of other kinds: none finds many images that the white-box attacks have left standing."""

from functools import partial

from torch import Tensor

from dropover.lab.auditing.budgets import NEAREST, NO_GRADIENT, TARGETED
from dropover.lab.auditing.checks import CHECKS, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.twin import distilled, transferred

_FAMILY = "other roads"
_DRAWS = 5
"""Tries of each kind of noise for each image."""
_BY_NOISE, _BY_TRANSFER = 0.005, 0.01


def _by(role: str, tolerance: float, _subject: Subject, evidence: Evidence) -> Reading:
    """How many images fell to attacks of a role, of those that stood after the ones before it."""
    tried, felled = len(evidence.attackable), evidence.felled(role)
    return Reading(felled, allowed(tried, tolerance), f"{felled} of {tried} images fell to it alone")


def _noise(subject: Subject, evidence: Evidence) -> Reading:
    """In turns uniform in the ball and at its end: signs of noise in L∞, a random direction in L2."""
    before, tried = len(evidence.standing), len(evidence.attackable)
    draw = subject.generator("random noise")

    def moved(which: Tensor, at_the_end: bool) -> Tensor:
        noise = subject.norm.uniform(subject.images[which], draw)
        return subject.images[which] + subject.eps * (subject.norm.uphill(noise) if at_the_end else noise)

    with evidence.attempt(subject, "random noise", _FAMILY):
        for turn in range(2 * _DRAWS):
            which = evidence.standing
            if len(which):
                evidence.take(subject, which, moved(which, turn % 2 == 1), "random noise")
    felled = before - len(evidence.standing)
    return Reading(felled, allowed(tried, _BY_NOISE), f"{felled} of {tried} images fell to it alone")


def _transfer(subject: Subject, evidence: Evidence) -> Reading:
    before, tried = len(evidence.standing), len(evidence.attackable)
    others = {f"from twin {number}": twin for number, twin in enumerate(subject.twins)}
    if before:
        with evidence.attempt(subject, "transferred", _FAMILY):
            for name, other in {"distilled": distilled(subject, "distilled"), **others}.items():
                which = evidence.standing
                found = transferred(subject, other, which, f"transferred {name}")
                evidence.take(subject, which, found, "transferred")
    felled = before - len(evidence.standing)
    count = f"{1 + len(others)} other model{'s' if others else ''}"
    return Reading(
        felled, allowed(tried, _BY_TRANSFER), f"{felled} of {tried} images fell to examples of {count} alone"
    )


_ADVICE = "Believe the lower figure, and look at what hides the gradient from the attacks before it."
for _role, _tolerance, _name, _why, _source in (
    (
        NO_GRADIENT,
        0.01,
        "no gradient needed",
        "An attack that reads no gradient finds more than those that do only where gradients mislead.",
        "1 image in 100, chosen: docs/audit.md has what sound nets come to",
    ),
    (
        TARGETED,
        0.03,
        "towards each class",
        "Where an attack towards one class finds much more than one away from the right class, the latter was stuck.",
        "3 images in 100, chosen: docs/audit.md has what sound nets come to",
    ),
    (
        NEAREST,
        0.02,
        "the nearest boundary",
        "A search for the nearest boundary uses no loss, so that nothing that flattens losses hides it.",
        "2 images in 100, chosen: docs/audit.md has what sound nets come to",
    ),
):
    CHECKS.add(Check(_name, _FAMILY, _why, _source, _ADVICE, partial(_by, _role, _tolerance)))
CHECKS.add(
    Check(
        "random noise",
        _FAMILY,
        "Noise that fells what an attack of the same size doesn't shows that the attack went astray.",
        "1 image in 200, chosen: docs/audit.md has what sound nets come to",
        _ADVICE,
        _noise,
    )
)
CHECKS.add(
    Check(
        "transferred",
        _FAMILY,
        "Examples made against another model know nothing of this one's gradient, so they should find nothing more.",
        "1 image in 100, chosen: docs/audit.md has what sound nets come to",
        _ADVICE,
        _transfer,
    )
)
