"""How much an audit tries: three budgets, which differ in numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

BudgetName = Literal["quick", "standard", "full"]

WHITE_BOX, TARGETED, NEAREST, NO_GRADIENT = "white-box", "targeted", "minimum norm", "no gradient"
"""What an attack of an audit is for: it decides which check its successes are held against."""


@dataclass(frozen=True)
class Planned:
    """One attack of an audit, on the images that still stand: its label, role, name, and settings."""

    label: str
    role: str
    attack: str
    settings: Mapping[str, Any]


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

    def attacks_for(self, classes: int) -> tuple[Planned, ...]:
        """Those that make sense for so many classes: the ratio of logits needs three, and four where it has a target.

        With fewer the plain margin takes its place.
        """
        needed = {"apgd-dlr": 3, "apgd-t": 4}
        chosen = []
        for each in self.attacks:
            if classes >= needed.get(each.attack, 0):
                chosen.append(each)
            elif each.attack == "apgd-dlr":
                chosen.append(Planned("apgd-margin", each.role, "apgd-margin", each.settings))
        return tuple(chosen)


def _plan(
    apgd: int, ratio: int, targeted: tuple[int, int], nearest: tuple[int, int], queries: int
) -> tuple[Planned, ...]:
    def runs(steps: tuple[int, int]) -> dict[str, int]:
        return {"steps": steps[0], "classes": steps[1]}

    return (
        Planned("pgd", WHITE_BOX, "pgd", {"steps": 10, "step": 0.25}),
        Planned("apgd", WHITE_BOX, "apgd", {"steps": apgd}),
        Planned("apgd-dlr", WHITE_BOX, "apgd-dlr", {"steps": ratio}),
        Planned("apgd-t", TARGETED, "apgd-t", runs(targeted)),
        Planned("fab", NEAREST, "fab", runs(nearest)),
        Planned("square", NO_GRADIENT, "square", {"queries": queries}),
    )


BUDGETS: dict[str, Budget] = {
    each.name: each
    for each in (
        Budget("quick", 200, 50, _plan(10, 20, (10, 3), (8, 2), 100), draws=16, votes=9, exams=20),
        Budget("standard", 1000, 100, _plan(20, 50, (20, 9), (15, 3), 500), draws=32, votes=25, exams=50),
        Budget("full", None, 200, _plan(100, 100, (100, 9), (100, 9), 5000), draws=128, votes=49, exams=200),
    )
}
