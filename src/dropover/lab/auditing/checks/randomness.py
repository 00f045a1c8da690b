"""Random inference is averaged over enough draws, and a model that optimizes while it answers is named."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from dropover.lab.auditing.checks import CHECKS, Check, Reading
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.randomness import AGREEMENT, agreement
from dropover.lab.auditing.subject import Subject

_FAMILY = "randomness"
_BACKWARDS = (torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward)


def _averaged(subject: Subject, evidence: Evidence) -> Reading:
    if not subject.random:
        return Reading(1, AGREEMENT, "two passes are the same", at_least=True)
    cosine = agreement(subject, subject.draws)
    which = torch.arange(len(subject.labels), device=subject.labels.device)
    passes = [subject.logits(subject.images, f"pass {number}") for number in range(subject.votes)]
    classes = torch.stack([each.argmax(1) for each in passes])
    changed = 100 * float((classes[0] != classes[1]).double().mean())
    single = 100 * float((classes == subject.labels).double().mean())
    majority = 100 * float(subject.right(subject.images, which, "clean").double().mean())
    said = (
        f"two passes give {changed:.1f} % of the images another class; gradients averaged over {subject.draws} draws "
        f"agree by a cosine of {cosine:.2f}; a majority of {subject.votes} passes is right for {majority:.1f} %, one "
        f"pass for {single:.1f} %"
    )
    return Reading(cosine if cosine == cosine else 0, AGREEMENT, said, at_least=True)


class _Watching(TorchFunctionMode):
    """Counts what is asked of autograd inside, by whatever name."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.asked += func in _BACKWARDS
        return func(*args, **(kwargs or {}))


def _answers(subject: Subject, _evidence: Evidence) -> Reading:
    with _Watching() as watching:
        subject.logits(subject.images[:2], "watched")
    said = f"{watching.asked} backward passes in one answer"
    return Reading(watching.asked, 0, said)


CHECKS.add(
    Check(
        "draws averaged",
        _FAMILY,
        "Where inference is random, a gradient of one draw is mostly noise, and an image must be scored by a majority.",
        f"two averages of a gradient must agree by a cosine of {AGREEMENT}: then {AGREEMENT} of each is no chance",
        "Audit with a larger budget, which averages over more draws, or attack the mean that the randomness is about.",
        _averaged,
    )
)
CHECKS.add(
    Check(
        "no optimizing in inference",
        _FAMILY,
        "A model whose answer is the end of a search of its own has gradients that leave the search out.",
        "exact",
        "Differentiate through the search or replace it by the identity on the way back (Athalye et al. 2018, BPDA).",
        _answers,
    )
)
