"""`lab.verify`: an audit's figure and verdict recomputed from the kept images and the model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dropover.lab.auditing.budgets import BUDGETS
from dropover.lab.auditing.checks import in_order
from dropover.lab.auditing.identity import digest_of
from dropover.lab.auditing.keeping import FACTS, IMAGES, audit_of, changed_files, read_facts, read_images
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.subject import Subject, opened
from dropover.lab.auditing.verdict import interval_of, judged
from dropover.lab.devices import device_of
from dropover.lab.examples import pixels
from dropover.lab.records.files import DamagedError
from dropover.lab.records.fingerprints import BESIDE_TRIALS, code

_ROUNDING = 1e-4
"""What another machine may add to a length or a logit, as a share of it."""
_WAVERING = 0.02
"""Of images whose inference is random, those that may clearly be called otherwise: a lucky majority had decided."""


@dataclass(frozen=True)
class Verified:
    """What a recomputation came to.

    Attributes:
        faults: What is not as it was written, or doesn't follow from the images and the model, a line each.
        accuracy: The share that the model gets right of the kept images; None where they can't be read.
        verdict: What follows from it and the checks; None where that can't be told.
    """

    faults: tuple[str, ...]
    accuracy: float | None = None
    verdict: str | None = None

    def __bool__(self) -> bool:
        """Whether nothing is at fault."""
        return not self.faults

    def __str__(self) -> str:
        said = [] if self.accuracy is None else [f"recomputed: {100 * self.accuracy:.1f} %, {self.verdict}"]
        return "\n".join([*self.faults, *said])


def verify(
    model: nn.Module, folder: str | Path, images: Tensor | None = None, labels: Tensor | None = None
) -> Verified:
    """Recompute an audit's figure and verdict from the kept images and the model, and find files that were changed.

    Args:
        model: The one that was audited; it is left as it was.
        folder: Where the audit was kept.
        images: All images that the audit was given, if the kept ones are to be held against them; with `labels`.
        labels: Their classes.

    Raises:
        FileNotFoundError: there is no finished audit in the folder.
    """
    folder = Path(folder)
    try:
        facts = read_facts(folder)
    except DamagedError as reason:
        return Verified((f"{FACTS} {reason}",))
    if facts is None:
        raise FileNotFoundError(f"{folder}: there is no finished audit: it has no {FACTS}")
    faults = [f"{name} was changed since it was written, or is gone" for name in changed_files(folder, facts)]
    try:
        audit = audit_of(facts, read_images(folder))
        same_code = facts["identity"]["code"] == code(BESIDE_TRIALS)
        same_model = facts["identity"]["model"] == digest_of(model)
    except (DamagedError, KeyError, TypeError) as reason:
        return Verified((*faults, f"{IMAGES} or {FACTS} {reason}"))
    if not same_model:
        faults.append("the model isn't the one that was audited: its weights, its buffers or what it is made of differ")
    if not _fits(audit):
        return Verified((*faults, f"{IMAGES} doesn't hold as many images, classes and answers as it should"))
    if images is not None and labels is not None:
        faults += _of_data(audit, images, labels)
    stands, found = _recomputed(model, audit)
    verdict = judged(int(stands.sum()), len(stands), audit.classes, audit.claim, audit.checks)
    faults += [*found, *_of_facts(audit, verdict.name, same_code)]
    return Verified(tuple(faults), float(stands.double().mean()), verdict.name)


def _fits(audit: Audit) -> bool:
    """Whether the tensors belong together."""
    count = len(audit.labels)
    tensors = (audit.answers, audit.margin, audit.stands, audit.right, audit.index)
    shaped = audit.images.ndim == 4 and audit.images.shape == audit.adversarial.shape
    return (
        shaped
        and len(audit.images) == len(audit.felled_by) == count > 0
        and all(each.shape == (count,) for each in tensors)
        and audit.images.is_floating_point()
        and audit.adversarial.is_floating_point()
    )


def _of_data(audit: Audit, images: Tensor, labels: Tensor) -> Iterator[str]:
    """Whether the kept images are those that were given."""
    inside = int(audit.index.max()) < len(labels)
    if not inside or not torch.equal(pixels(images[audit.index].cpu()), pixels(audit.images)):
        yield f"the clean images in {IMAGES} are not those of the data"
    elif not torch.equal(labels[audit.index].cpu(), audit.labels):
        yield f"the labels in {IMAGES} are not those of the data"


def _recomputed(model: nn.Module, audit: Audit) -> tuple[Tensor, list[str]]:
    """Which images stand (bool, N), by the model itself, and what is at fault."""
    there, budget = device_of(model), replace(BUDGETS[audit.budget], images=None)
    with opened(model, audit.images, audit.labels, audit.eps, audit.norm, audit.seed, budget) as subject:
        worst = pixels(audit.adversarial.to(there))
        right, of_clean = _scored(subject, subject.images, audit.right.to(there), "clean")
        stands, of_worst = _scored(subject, worst, audit.stands.to(there), "adversarial")
        faults = [*_of_ball(subject, worst), *of_clean, *of_worst]
        if bool((audit.stands & ~audit.right).any()):
            faults.append("images stand that the model gets wrong when they are clean")
    return (right & stands).cpu(), faults


def _scored(subject: Subject, images: Tensor, written: Tensor, kind: str) -> tuple[Tensor, list[str]]:
    """Whether the model gets images right (bool, N), and what is at fault; what can't be told is as it is written.

    That is a lead of no more than rounding and, where inference is random, a vote within four standard deviations of a
    tie.
    """
    everything, votes = torch.arange(len(images), device=images.device), 4 * subject.votes + 1
    share = subject.share_right(images, everything, "verifying", votes if subject.random else 1)
    if subject.random:
        sure = (share - 0.5).abs() > 4 * 0.5 / votes**0.5
    else:
        logits = subject.logits(images, "verifying 0")
        first, second = logits.topk(2, dim=1).values.unbind(1)
        sure = ~(first - second <= _ROUNDING * logits.abs().amax(1))
    now = torch.where(sure, share > 0.5, written)
    differ = int((now != written).sum())
    if differ <= (_WAVERING * len(now) if subject.random else 0):
        return now, []
    return now, [f"the model calls {differ} of {len(now)} {kind} images otherwise than is written"]


def _of_ball(subject: Subject, worst: Tensor) -> Iterator[str]:
    length = subject.norm.length(worst.double() - subject.images.double())
    beyond = int((~(length <= subject.eps * (1 + _ROUNDING))).sum())
    if beyond:
        yield f"{beyond} adversarial images are outside of the ball"
    outside = int((~((worst >= -_ROUNDING) & (worst <= 1 + _ROUNDING)).flatten(1).all(1)).sum())
    if outside:
        yield f"{outside} adversarial images have pixels outside of [0, 1]"


def _of_facts(audit: Audit, verdict: str, same_code: bool) -> Iterator[str]:
    """Whether what audit.json says follows from the images and the checks."""
    right, count = int(audit.stands.sum()), len(audit.stands)
    if audit.accuracy != right / count or tuple(audit.interval) != interval_of(right, count):
        yield f"the figure in {FACTS} isn't that of {IMAGES}: {right} of {count} images stand there"
    if audit.clean != float(audit.right.double().mean()):
        yield f"the clean accuracy in {FACTS} isn't that of {IMAGES}"
    if audit.verdict != verdict:
        yield f"the verdict in {FACTS} is {audit.verdict!r}, and {verdict!r} follows from the images and the checks"
    if any(name and not fell for name, fell in zip(audit.felled_by, (~audit.stands).tolist(), strict=True)):
        yield f"{FACTS} names what felled images that stand"
    # Another version may have other checks.
    if same_code and [each.name for each in audit.checks] != [each.name for each in in_order()]:
        yield f"the checks in {FACTS} are not those that an audit makes"
