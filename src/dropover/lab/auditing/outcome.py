"""What an audit has found, as one value, and how it follows from the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from dropover.lab.auditing.checks import Checked
from dropover.lab.auditing.evidence import Attempt, Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.verdict import VerdictName, interval_of, judged


@dataclass(frozen=True, eq=False, kw_only=True)
class Audit:
    """What an audit has found. Its tensors are on the CPU.

    Attributes:
        verdict: "supported", "upper bound only" or "broken".
        reason: Why, in a sentence.
        accuracy: The share of the audited images that no attempt has felled: the worst case of each image.
        interval: The exact 95 % interval of that share.
        claim: What was claimed, if anything.
        clean: The share that was right without an attack.
        checks: Every check, in the order in which they were made.
        attacks: Everything that was tried on images that stood, with its cost.
        images: The images that were audited (N, C, H, W), pixels in [0, 1].
        labels: Their classes (N,).
        adversarial: The worst that was found of each image (N, C, H, W), pixels in [0, 1].
        answers: The class that the model gives to each of those (N,).
        margin: By how much its best wrong logit there is above the right one (N,).
        stands: Whether the model gets that right (bool, N).
        right: Whether it got the clean image right (bool, N).
        index: Which of the given images these are (N,).
        felled_by: What felled each of them; "" where nothing did.
        curves: What pictures are drawn of: named lists of numbers.
        classes: How many classes the model tells apart.
        random: Whether two passes over the same images differ.
        draws: Gradients were averaged over so many passes.
        votes: An image was called right by the majority of so many passes.
        eps, norm, budget, seed: As they were asked for.
    """

    verdict: VerdictName
    reason: str
    accuracy: float
    interval: tuple[float, float]
    claim: float | None
    clean: float
    checks: tuple[Checked, ...]
    attacks: tuple[Attempt, ...]
    images: Tensor
    labels: Tensor
    adversarial: Tensor
    answers: Tensor
    margin: Tensor
    stands: Tensor
    right: Tensor
    index: Tensor
    felled_by: tuple[str, ...]
    curves: Mapping[str, Sequence[Sequence[float]]]
    classes: int
    random: bool
    draws: int
    votes: int
    eps: float
    norm: str
    budget: str
    seed: int

    @property
    def strongest(self) -> str:
        """The attempt that felled most images."""
        return max(self.attacks, key=lambda each: each.felled).label

    def __str__(self) -> str:
        low, high = self.interval
        share = f"{100 * self.accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        return f"{self.verdict}: {share} at ε = {self.eps:g} {self.norm}, clean {100 * self.clean:.1f} %; {self.reason}"


def concluded(subject: Subject, evidence: Evidence, checks: Sequence[Checked], claim: float | None) -> Audit:
    """The audit that the evidence and the checks come to."""
    right, count = int(evidence.stands.sum()), len(evidence.stands)
    verdict = judged(right, count, subject.classes, claim, checks)
    return Audit(
        verdict=verdict.name,
        reason=verdict.reason,
        accuracy=right / count,
        interval=interval_of(right, count),
        claim=claim,
        clean=float(evidence.right.double().mean()),
        checks=tuple(checks),
        attacks=tuple(evidence.attempts),
        images=subject.images.cpu(),
        labels=subject.labels.cpu(),
        adversarial=evidence.worst.cpu(),
        answers=subject.logits(evidence.worst, "answers").argmax(1).cpu(),
        margin=evidence.margin.cpu(),
        stands=evidence.stands.cpu(),
        right=evidence.right.cpu(),
        index=subject.index.cpu(),
        felled_by=tuple(evidence.felled_by),
        curves=dict(evidence.curves),
        classes=subject.classes,
        random=subject.random,
        draws=subject.draws,
        votes=subject.votes,
        eps=subject.eps,
        norm=subject.norm.name,
        budget=subject.budget.name,
        seed=subject.seed,
    )
