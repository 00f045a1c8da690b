"""How much an audit tries: three budgets, which differ in numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

BudgetName = Literal["quick", "standard", "full"]

WHITE_BOX, TARGETED, NEAREST, NO_GRADIENT = "white-box", "targeted", "minimum norm", "no gradient"
"""What an attack of an audit is for: it decides which check its successes are held against."""


@dataclass(frozen=True)
class Planned:
    """One attack of an audit, on the images that still stand: its label, role, name, and settings.

    It has those of the standing images alone that are nearest to falling, a `share` of them by their margins so far:
    what strong attacks add to weak ones is nearly all there.
    """

    label: str
    role: str
    attack: str
    settings: Mapping[str, Any]
    share: float = 1.0


@dataclass(frozen=True)
class Budget:
    """What an audit may spend.

    Attributes:
        name: "quick", "standard" or "full".
        images: How many images are audited at the most; None: all that are given.
        probed: How many images checks look at that need only a few of them.
        attacks: In the order in which they run.
        draws: Gradients are averaged over so many passes at the most where inference is random.
        votes: Passes that decide by majority whether an image is right where inference is random, an odd number.
        exams: How many problems the binarization test sets.
    """

    name: BudgetName
    images: int | None
    probed: int
    attacks: tuple[Planned, ...]
    draws: int
    votes: int
    exams: int


def _white_box(apgd: int, margin: int) -> tuple[Planned, ...]:
    return (
        Planned("apgd", WHITE_BOX, "apgd", {"steps": apgd}),
        Planned("apgd-margin", WHITE_BOX, "apgd-margin", {"steps": margin}),
    )


def _targeted(label: str, steps: int, share: float = 1.0, restarts: int = 1) -> Planned:
    return Planned(label, TARGETED, "apgd-t", {"steps": steps, "classes": 9, "restarts": restarts}, share)


def _others(fab: int, queries: int, share: float = 1.0) -> tuple[Planned, ...]:
    return (
        Planned("fab", NEAREST, "fab", {"steps": fab, "classes": 3}, share),
        Planned("square", NO_GRADIENT, "square", {"queries": queries}, share),
    )


_QUICK = (*_white_box(10, 30), _targeted("apgd-t", 20, 0.1), *_others(8, 100, 0.5))
_STANDARD = (
    *_white_box(20, 30),
    _targeted("apgd-t", 50, 1 / 4),
    _targeted("apgd-t more", 100, 1 / 12, 2),
    *_others(10, 300, 0.5),
)
_FULL = (*_white_box(100, 100), _targeted("apgd-t", 100), *_others(100, 5000))

BUDGETS: dict[str, Budget] = {
    each.name: each
    for each in (
        Budget("quick", 200, 50, _QUICK, draws=8, votes=9, exams=20),
        Budget("standard", 1000, 100, _STANDARD, draws=16, votes=25, exams=50),
        Budget("full", None, 200, _FULL, draws=64, votes=49, exams=200),
    )
}
