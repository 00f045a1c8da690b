"""An audit from its beginning to its end: a model, its images and a ball in, a verdict out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dropover.lab.attacks.parts.norms import NORMS
from dropover.lab.auditing.budgets import BUDGETS, BudgetName
from dropover.lab.auditing.checks import Checked
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.identity import identity_of
from dropover.lab.auditing.outcome import Audit, concluded
from dropover.lab.auditing.progress import Progress, Report
from dropover.lab.auditing.randomness import with_draws
from dropover.lab.auditing.stages import last_stages, planned_stages, stages
from dropover.lab.auditing.state import State
from dropover.lab.auditing.subject import Subject, opened
from dropover.validation import choice, number, whole


@dataclass(frozen=True)
class Asked:
    """What an audit is asked for: the radius of the ball in pixels, its norm, a claim, the budget, a seed.

    Raises:
        TypeError, ValueError: one of them is out of range.
    """

    eps: float
    norm: str = "linf"
    claim: float | None = None
    budget: BudgetName = "quick"
    seed: int = 0

    def __post_init__(self) -> None:
        choice("norm", self.norm, NORMS)
        choice("budget", self.budget, BUDGETS)
        if number("eps", self.eps, 0) == 0:
            raise ValueError("eps must be above 0, got 0")
        if self.norm == "linf" and self.eps > 1:
            raise ValueError(
                f"eps must be at most 1 in linf, since pixels are in [0, 1], got {self.eps:g}: divide by 255?"
            )
        if self.claim is not None:
            number("claim", self.claim, 0, 1)
        whole("seed", self.seed, 0)


def audited(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    asked: Asked,
    folder: Path | None = None,
    twins: Sequence[nn.Module] = (),
    finished: Callable[[Mapping[str, Any]], Audit | None] = lambda _identity: None,
    report: Report | None = None,
    notify: Callable[[str], object] = lambda _line: None,
) -> tuple[Audit, dict[str, Any]]:
    """Try everything to fell a model's images within a ball, check that the trying was sound, and judge.

    Args:
        model: Maps images with pixels in [0, 1] to logits; it is left as it was, also after an error.
        images: Of shape (N, C, H, W), in [0, 1] or bytes. A budget may take the first of each class only.
        labels: Their classes (N,).
        asked: The ball, the claim, and how much is tried.
        folder: Where it is kept after every stage what was found, and from where an audit that was cut off goes on.
        twins: Further models, whose adversarial examples are tried on it. They too are left as they were.
        finished: Looks for a finished audit that is determined by the same.
        report: Told how far it is.
        notify: Called with a line about a file in the folder that can't be gone on from.

    Returns:
        The audit, and what it is determined by if there is a folder.

    Raises:
        ValueError: a model that returns no logits, or has fewer outputs than there are classes.
    """
    with opened(model, images, labels, asked.eps, asked.norm, asked.seed, BUDGETS[asked.budget], twins) as bare:
        # Digests take their time, and are of no use where nothing is kept.
        identity = {} if folder is None else identity_of(model, bare, twins)
        earlier = finished(identity)
        if earlier is not None:
            return earlier, identity
        subject = with_draws(bare)
        evidence, checks = _gathered(subject, State(folder, identity, notify), report)
        return concluded(subject, evidence, checks, asked.claim), identity


def _gathered(subject: Subject, state: State, report: Report | None) -> tuple[Evidence, list[Checked]]:
    """Go through all stages, less those that were made before."""
    evidence = Evidence.of_clean(subject)
    checks: list[Checked] = []
    done = state.take_over(evidence, checks)
    planned = chain(planned_stages(subject, evidence, checks), last_stages(subject, evidence, checks))
    progress = Progress(report or (lambda _share, _what: None), subject, evidence, planned)
    for stage in stages(subject, evidence, checks):
        progress.begin(stage)
        if stage.name not in done:
            stage.run()
            done.append(stage.name)
            state.keep(evidence, checks, done)
        progress.end()
    return evidence, checks
