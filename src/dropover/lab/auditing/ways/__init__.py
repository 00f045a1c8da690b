"""Ways through a masked gradient: changed copies of a model whose gradient leads where its own doesn't.

One file a way, found by the registry `WAYS`. A copy is attacked in the model's place, and what comes of it is scored by
the model itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.registry import Registry

ROLE = "a way through"
_STEPS = {"quick": 20, "standard": 40, "full": 100}


@dataclass(frozen=True)
class Way:
    """A way through.

    Attributes:
        name: What it is called.
        summary: What it does, in a sentence.
        copy: The changed copy of a subject's model, None where it has nothing to change. What it hangs into the model
            it must take out when it is closed.
        steps: Which part of the usual number of steps it takes, for those that are slow.
    """

    name: str
    summary: str
    copy: Callable[[Subject, Evidence], nn.Module | None]
    steps: float = 1.0
    aliases: tuple[str, ...] = ()


def tried(way: Way, subject: Subject, evidence: Evidence) -> None:
    """Attack a changed copy on the images that stand."""
    which = evidence.standing
    if not len(which):
        return
    with evidence.attempt(subject, way.name, ROLE):
        copy = way.copy(subject, evidence)
        if copy is None:
            return
        steps = max(1, round(way.steps * _STEPS[subject.budget.name]))
        there = subject.with_model(copy)
        for attack in ("pgd", "pgd-margin") if subject.classes > 2 else ("pgd",):
            which = evidence.standing
            found = there.attacked(which, f"{way.name} {attack}", attack, steps=steps, step=0.25)
            evidence.take(subject, which, found, way.name)


WAYS: Registry[Way] = Registry("way", __name__)
