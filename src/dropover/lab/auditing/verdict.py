"""What an audit concludes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import binomtest

from dropover.lab.auditing.checks import Checked

VerdictName = Literal["supported", "upper bound only", "broken"]
SUPPORTED: VerdictName = "supported"
UPPER_BOUND: VerdictName = "upper bound only"
BROKEN: VerdictName = "broken"


@dataclass(frozen=True)
class Verdict:
    """The verdict, and why in a sentence."""

    name: VerdictName
    reason: str


def interval_of(right: int, images: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper & Pearson 1934)."""
    interval = binomtest(right, images).proportion_ci(0.95, "exact")
    return float(interval.low), float(interval.high)


def judged(right: int, images: int, classes: int, claim: float | None, checks: Sequence[Checked]) -> Verdict:
    """The verdict on a worst case of `right` of `images` images.

    Args:
        right: How many images stand.
        images: How many were audited.
        classes: How many the model tells apart.
        claim: The robust accuracy that was claimed, in [0, 1], or None.
        checks: All that were made.
    """
    accuracy, (_, high) = right / images, interval_of(right, images)
    figure = f"{100 * accuracy:.1f} %"
    if claim is not None and claim > high:
        return Verdict(
            BROKEN, f"{100 * claim:.1f} % are claimed, and {figure} is what is left, at most {100 * high:.1f} %"
        )
    if claim is None and accuracy <= 1 / classes:
        return Verdict(BROKEN, f"what is left, {figure}, is no better than guessing among {classes} classes")
    failed = [each.name for each in checks if each.passed is False]
    unmade = [each.name for each in checks if each.passed is None]
    if failed or unmade:
        kinds = ((failed, "failed"), (unmade, "could not be made"))
        return Verdict(UPPER_BOUND, "; ".join(f"{', '.join(names)} {what}" for names, what in kinds if names))
    return Verdict(SUPPORTED, "every check passes")
