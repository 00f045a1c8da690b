"""Accuracy against ε, attack by attack: what the page draws of a few images."""

from typing import Any

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject

AGAINST_EPS = "accuracy against ε"
"""What the names of these curves begin with, before the attack's: lists of (ε, share)."""
_SHARES = (0.25, 0.5, 1.0, 2.0)
_ATTACKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fgsm", {}),
    ("pgd", {"steps": 5, "step": 0.25}),
    ("apgd-margin", {"steps": 5}),
    ("square", {"queries": 20}),
)
"""Short ones: a curve shows how attacks differ, and the figure is what all others leave."""


def draw_curves(subject: Subject, evidence: Evidence) -> None:
    """Attack the first images in balls of several sizes, and keep of each attack what share of them stays right.

    What falls in the ball of the audit's ε or a smaller one is handed to the evidence.
    """
    which = evidence.attackable[: subject.budget.probed // 2]
    if not len(which):
        return
    for attack, settings in _ATTACKS:
        label, curve = f"{AGAINST_EPS}: {attack}", [[0.0, 1.0]]
        with evidence.attempt(subject, f"{attack} at other ε", "the page's curves"):
            for share in _SHARES:
                found = subject.attacked(which, f"{label} {share}", attack, eps=share * subject.eps, **settings)
                if share <= 1:
                    evidence.take(subject, which, found, attack)
                right = subject.right(found, which, f"scoring {label} {share}")
                curve.append([share * subject.eps, float(right.double().mean())])
        evidence.curves[label] = curve
