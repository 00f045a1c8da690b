"""The questions of an audit: one file a family, found by the registry `CHECKS`, each with its figure and threshold."""

from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import binom

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.registry import Registry

FAMILIES = (
    "randomness",
    "gradients",
    "order",
    "convergence",
    "other roads",
    "adaptive exam",
    "bookkeeping",
)
"""In the order in which they are made. What a check fells, later ones need not attack any more."""

RISK = 0.01
"""The greatest probability that a sound model fails any check by chance."""


class CannotBeMadeError(Exception):
    """A check that can't be made of this model; the message says why, in a line."""


@dataclass(frozen=True)
class Reading:
    """What a check has measured.

    Attributes:
        figure: The number.
        threshold: The greatest that passes; for `at_least`, the least.
        said: The figure in words, with its unit.
        at_least: Whether more is better.
    """

    figure: float
    threshold: float
    said: str
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the figure is on the right side."""
        return self.figure >= self.threshold if self.at_least else self.figure <= self.threshold


@dataclass(frozen=True)
class Check:
    """A question that a sound model answers well.

    Attributes:
        name: What it is called.
        family: One of `FAMILIES`.
        why: What a failure shows, in a sentence.
        source: Where the threshold comes from.
        advice: What to do where it fails.
        make: Measures it; raises `CannotBeMadeError`. Images that it fells on its way it hands to the evidence.
    """

    name: str
    family: str
    why: str
    source: str
    advice: str
    make: Callable[[Subject, Evidence], Reading]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """A check that was made: `passed` is None where it couldn't be, and `said` then says why."""

    name: str
    family: str
    passed: bool | None
    figure: float | None
    threshold: float | None
    said: str
    why: str
    source: str
    advice: str


def allowed(images: int, tolerance: float) -> int:
    """How many of so many images may do, by chance, what a sound model's do with the probability `tolerance` at most.

    Exceeded with a probability of `RISK` shared among all checks: the quantile of the binomial distribution.
    """
    return int(binom.ppf(1 - RISK / sum(1 for _ in CHECKS), images, tolerance)) if images else 0


def made(check: Check, subject: Subject, evidence: Evidence) -> Checked:
    """Make a check."""
    told = (check.why, check.source, check.advice)
    try:
        reading = check.make(subject, evidence)
    except CannotBeMadeError as error:
        return Checked(check.name, check.family, None, None, None, str(error), *told)
    figures = (reading.passed, reading.figure, reading.threshold, reading.said)
    return Checked(check.name, check.family, *figures, *told)


def in_order() -> list[Check]:
    """All checks, family by family."""
    return sorted(CHECKS, key=lambda check: FAMILIES.index(check.family))


CHECKS: Registry[Check] = Registry("check", __name__)
