"""What an audit does, one named stage after the other: attacks, checks, ways through, a picture, the bookkeeping."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from dropover.lab.auditing import ways
from dropover.lab.auditing.budgets import Budget, Planned
from dropover.lab.auditing.checks import FAMILIES, Check, Checked, in_order, made
from dropover.lab.auditing.curves import draw_curves
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.surface import draw_surface

GRADIENT = 3
"""What a gradient costs in forward passes: the pass itself, and about two for the way back."""
_CHECK = 6 * GRADIENT
"""What a check is taken to cost, in forward passes for each image that it looks at."""
_WAY = 40 * GRADIENT


@dataclass(frozen=True)
class Stage:
    """A part of an audit that is made whole or not at all.

    Attributes:
        name: What it is called; no two stages have the same.
        standing: What it is expected to cost for each image that stands, in forward passes.
        fixed: What besides.
        run: Does it.
    """

    name: str
    standing: float
    fixed: float
    run: Callable[[], None]


def stages(subject: Subject, evidence: Evidence, checks: list[Checked]) -> Iterator[Stage]:
    """The attacks, the checks, the ways through where one has failed, and at the end the bookkeeping.

    Every check that was made is added to `checks`.
    """
    yield from planned_stages(subject, evidence, checks)
    failed = not all(each.passed for each in checks if each.family != FAMILIES[-1])
    if failed and int(evidence.stands.sum()) * subject.classes > len(evidence.stands):  # else nothing is left to gain
        for way in ways.in_order():
            yield Stage(f"way {way.name}", way.steps * _WAY, 0, partial(ways.tried, way, subject, evidence))
    yield Stage("accuracy against ε", 0, 0, partial(draw_curves, subject, evidence))
    yield Stage("slice of the loss surface", 0, 0, partial(draw_surface, subject, evidence))
    yield from last_stages(subject, evidence, checks)


def planned_stages(subject: Subject, evidence: Evidence, checks: list[Checked]) -> Iterator[Stage]:
    """Those that are made of every model before the ways through."""
    for planned in subject.budget.attacks:
        run = partial(_attack, planned, subject, evidence)
        yield Stage(f"attack {planned.label}", _cost(planned), 0, run)
    for check in in_order():
        if check.family != FAMILIES[-1]:
            yield _checking(check, subject, evidence, checks)


def last_stages(subject: Subject, evidence: Evidence, checks: list[Checked]) -> Iterator[Stage]:
    """The bookkeeping, when nothing changes any more."""
    for check in in_order():
        if check.family == FAMILIES[-1]:
            yield _checking(check, subject, evidence, checks)


def _checking(check: Check, subject: Subject, evidence: Evidence, checks: list[Checked]) -> Stage:
    def run() -> None:
        checks.append(made(check, subject, evidence))

    return Stage(f"check {check.name}", 0, _CHECK * _looked_at(subject.budget, len(subject.labels)), run)


def _looked_at(budget: Budget, images: int) -> int:
    return min(budget.probed, images)


def _attack(planned: Planned, subject: Subject, evidence: Evidence) -> None:
    which = evidence.nearest(planned.share)
    with evidence.attempt(subject, planned.label, planned.role):
        found = subject.attacked(which, planned.label, planned.attack, **planned.settings)
        evidence.take(subject, which, found, planned.label)


def _cost(planned: Planned) -> float:
    settings = planned.settings
    if "queries" in settings:
        return planned.share * float(settings["queries"])
    rounds = settings.get("classes", 1) * settings.get("restarts", 1)
    return planned.share * GRADIENT * float(settings.get("steps", 1) * rounds)
