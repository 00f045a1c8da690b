"""`lab.audit`: a model, its images and a ball in, a verdict out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from dropover.lab.attacks.parts.norms import NORMS
from dropover.lab.auditing import ways
from dropover.lab.auditing.budgets import BUDGETS, BudgetName, Planned
from dropover.lab.auditing.checks import FAMILIES, Check, Checked, in_order, made
from dropover.lab.auditing.evidence import Attempt, Evidence
from dropover.lab.auditing.randomness import with_draws
from dropover.lab.auditing.subject import Subject, opened
from dropover.lab.auditing.verdict import VerdictName, interval_of, judged
from dropover.validation import choice, number, whole


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit has found.

    Attributes:
        verdict: "supported", "upper bound only" or "broken".
        reason: Why, in a sentence.
        accuracy: The share of the audited images that no attempt has felled: the worst case of each image.
        interval: The exact 95 % interval of that share.
        claim: What was claimed, if anything.
        clean: The share that was right without an attack.
        checks: Every check, in the order in which they were made.
        attacks: Everything that was tried on images that stood, with its cost.
        adversarial: The worst that was found of each image (N, C, H, W), pixels in [0, 1].
        stands: Whether the model gets that right (bool, N).
        index: Which of the given images these are (N,).
        felled_by: What felled each of them; "" where nothing did.
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
    adversarial: Tensor
    stands: Tensor
    index: Tensor
    felled_by: tuple[str, ...]
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


def audit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    claim: float | None = None,
    budget: BudgetName = "quick",
    seed: int = 0,
    twins: Sequence[nn.Module] = (),
) -> Audit:
    """Try everything to fell a model's images within a ball, check that the trying was sound, and judge.

    Args:
        model: Maps images with pixels in [0, 1] to logits; it is left as it was, also after an error.
        images: Of shape (N, C, H, W), in [0, 1] or bytes. A budget may take the first of each class only.
        labels: Their classes (N,).
        eps: The radius of the ball around each image, in pixels, above 0.
        norm: "linf" or "l2".
        claim: The robust accuracy that is claimed, in [0, 1].
        budget: "quick", "standard" or "full".
        seed: Of everything that is drawn.
        twins: Further models of the same classes, on the model's device, whose adversarial examples are tried on it:
            other arms of a study, or the same net trained without a defense. They too are left as they were.

    Raises:
        TypeError, ValueError: an argument out of range, or a model that returns no logits.
    """
    choice("norm", norm, NORMS)
    choice("budget", budget, BUDGETS)
    if number("eps", eps, 0) == 0:
        raise ValueError("eps must be above 0, got 0")
    if claim is not None:
        number("claim", claim, 0, 1)
    whole("seed", seed, 0)
    with opened(model, images, labels, eps, norm, seed, BUDGETS[budget], twins) as subject:
        subject = with_draws(subject)
        evidence = Evidence.of_clean(subject)
        checks: list[Checked] = []
        for stage in _stages(subject, evidence, checks):
            stage()
    right, count = int(evidence.stands.sum()), len(evidence.stands)
    verdict = judged(right, count, subject.classes, claim, checks)
    return Audit(
        verdict.name,
        verdict.reason,
        right / count,
        interval_of(right, count),
        claim,
        float(evidence.right.double().mean()),
        tuple(checks),
        tuple(evidence.attempts),
        evidence.worst,
        evidence.stands,
        subject.index,
        tuple(evidence.felled_by),
        eps,
        norm,
        budget,
        seed,
    )


def _stages(subject: Subject, evidence: Evidence, checks: list[Checked]) -> Iterator[Callable[[], None]]:
    """The attacks, the checks, the ways through where one has failed, and at the end the bookkeeping."""
    for planned in subject.budget.attacks:
        yield partial(_attack, planned, subject, evidence)
    last = FAMILIES[-1]
    for check in in_order():
        if check.family != last:
            yield partial(_check, check, subject, evidence, checks)
    if not all(each.passed for each in checks):
        for way in ways.in_order():
            yield partial(ways.tried, way, subject, evidence)
    for check in in_order():
        if check.family == last:
            yield partial(_check, check, subject, evidence, checks)


def _attack(planned: Planned, subject: Subject, evidence: Evidence) -> None:
    which = evidence.nearest(planned.share)
    with evidence.attempt(subject, planned.label, planned.role):
        found = subject.attacked(which, planned.label, planned.attack, **planned.settings)
        evidence.take(subject, which, found, planned.label)


def _check(check: Check, subject: Subject, evidence: Evidence, checks: list[Checked]) -> None:
    checks.append(made(check, subject, evidence))
