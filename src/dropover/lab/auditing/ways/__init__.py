"""Ways through a masked gradient: changed copies of a model whose gradient leads where its own doesn't.

One file a way, found by the registry `WAYS`. A copy is attacked in the model's place, and what comes of it is scored by
the model itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

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
        copy: Inside, the changed copy of a subject's model, None where it has nothing to change. What it hangs into
            the model, which leaves the logits alone, is out of it afterwards.
        steps: Which part of the usual number of steps it takes, for those that are slow.
        draws: Over how many passes its gradients are averaged where it draws random numbers; 0: as many as the model's.
        blind: Whether the copy answers otherwise than the model: then no answer of it ends the attack.
    """

    name: str
    summary: str
    copy: Callable[[Subject, Evidence], AbstractContextManager[nn.Module | None]]
    steps: float = 1.0
    draws: int = 0
    blind: bool = False
    aliases: tuple[str, ...] = ()


def tried(way: Way, subject: Subject, evidence: Evidence) -> None:
    """Attack a changed copy on the images that stand."""
    which = evidence.standing
    if not len(which):
        return
    with evidence.attempt(subject, way.name, ROLE), way.copy(subject, evidence) as copy:
        if copy is None:
            return
        steps = max(1, round(way.steps * _STEPS[subject.budget.name]))
        there = subject.with_model(copy)
        there = replace(there, random=there.random or way.blind, draws=way.draws or there.draws)
        for attack in ("pgd", "pgd-margin") if subject.classes > 2 else ("pgd",):
            which = evidence.standing
            found = there.attacked(which, f"{way.name} {attack}", attack, steps=steps, step=0.25)
            evidence.take(subject, which, found, way.name)


def in_order() -> list[Way]:
    """All ways, slow ones last."""
    return sorted(WAYS, key=lambda way: -way.steps)


WAYS: Registry[Way] = Registry("way", __name__)
