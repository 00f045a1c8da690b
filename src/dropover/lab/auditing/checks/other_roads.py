"""Attacks of other kinds: none finds many images that the white-box attacks have left standing."""

from functools import partial

from dropover.lab.auditing.budgets import NEAREST, NO_GRADIENT, TARGETED
from dropover.lab.auditing.checks import CHECKS, CannotBeMadeError, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject


def _by(role: str, tolerance: float, _subject: Subject, evidence: Evidence) -> Reading:
    """How many images fell to attacks of a role, of those that stood after the ones before it."""
    attempts = [each for each in evidence.attempts if each.role == role]
    if not attempts:
        raise CannotBeMadeError(f"no {role} attack is made for so few classes")
    tried, felled = len(evidence.attackable), sum(each.felled for each in attempts)
    return Reading(felled, allowed(tried, tolerance), f"{felled} of {tried} images fell to it alone")


_ADVICE = "Believe the lower figure, and look at what hides the gradient from the attacks before it."
for _role, _tolerance, _name, _why, _source in (
    (
        NO_GRADIENT,
        0.01,
        "no gradient needed",
        "An attack that reads no gradient finds more than those that do only where gradients mislead.",
        "on adversarially trained models Square alone fells at most 1 image in 100 (Croce & Hein 2020, table 2)",
    ),
    (
        TARGETED,
        0.03,
        "towards each class",
        "Where an attack towards one class finds much more than one away from the right class, the latter was stuck.",
        "published adversarially trained models lose up to 3 points (Croce & Hein 2020, table 2)",
    ),
    (
        NEAREST,
        0.02,
        "the nearest boundary",
        "A search for the nearest boundary uses no loss, so that nothing that flattens losses hides it.",
        "on adversarially trained models FAB alone fells at most 2 images in 100 (Croce & Hein 2020, table 2)",
    ),
):
    CHECKS.add(Check(_name, "other roads", _why, _source, _ADVICE, partial(_by, _role, _tolerance)))
