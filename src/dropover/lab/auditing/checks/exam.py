"""The binarization test: problems in the model's own features whose answer exists; a sound attack finds it.

Source: Zimmermann, Brendel, Tramèr & Carlini 2022, "Increasing confidence in adversarial robustness evaluations",
algorithm 1. Around an image lie inner points in a smaller ball, and a boundary point at the full radius. A linear
classifier on the features tells it from them, so that a point of the other class exists in the ball. The attacks of the
audit must find one, by the gradient of the features that they climb in the model itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dropover.lab.auditing.budgets import WHITE_BOX
from dropover.lab.auditing.checks import CHECKS, CannotBeMadeError, Check, Reading, allowed
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject, Watched
from dropover.lab.auditing.verdict import interval_of

_INNER, _SHARE = 200, 0.95
"""How many inner points, and the radius of their ball as a share of ε (the paper's η)."""
_ENDS = 20
"""Boundary points to choose from."""
_CLOSENESS = 0.99
"""Where the classifier decides, on the way from the inner points (0) to the boundary point (1)."""
_RIDGE = 1.0
"""Of the features' mean variance, what is added to each: with less, rare features decide, which climbs seldom meet."""
_ROUNDING = 1e-6
"""Of the scores, a gap that float32 can make."""
_TRIES = 40
"""Points of a random search for each problem: about as many as the quick attacks take gradients."""
_MISSED = 0.05
"""Of the problems, what a sound attack may miss."""


class _Features(nn.Module):
    """What enters the linear layer that a model calls last, (N, features); its logits where there is none such."""

    def __init__(self, model: Watched) -> None:
        super().__init__()
        self._model = model
        self._entered: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Features in float32 of images (N, C, H, W)."""
        self._entered = None
        logits: Tensor = self._model(x)
        entered, self._entered = self._entered, None
        return logits if entered is None or len(entered) != len(x) else entered.flatten(1).float()

    def note(self, _layer: nn.Module, entered: tuple[Tensor, ...]) -> None:
        """Hangs before every linear layer."""
        self._entered = entered[0] if entered else None


@contextmanager
def _features(model: Watched) -> Iterator[_Features]:
    features = _Features(model)
    layers = [each for each in model.modules() if isinstance(each, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(features.note) for layer in layers]
    try:
        yield features
    finally:
        for hook in hooks:
            hook.remove()


class _Binary(nn.Module):
    """Logits for inner and boundary: the distance from a plane in feature space, to either side."""

    def __init__(self, features: _Features, across: Tensor, at: Tensor) -> None:
        super().__init__()
        self._features, self._across, self._at = features, across, at

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 2) of images (N, C, H, W)."""
        away = self._features(x) @ self._across - self._at
        return torch.stack([-away, away], 1)


@dataclass(frozen=True)
class _Problem:
    """The classifier (None: the two kinds of points can't be told apart), and whether a random search answers it."""

    classifier: _Binary | None
    guessed: bool = False


def _problem(subject: Subject, features: _Features, place: int, size: float) -> _Problem:
    """Around one image; its logits are spread like the model's own, over `size`, so that what hides these is seen."""
    draw, image = subject.generator(f"exam {place}"), subject.images[place : place + 1]

    def around(count: int, share: float, at_the_end: bool) -> Tensor:
        many = image.expand(count, *image.shape[1:])
        moved = subject.norm.uniform(many, draw)
        if at_the_end:
            moved = subject.norm.uphill(moved)
        return (many + share * subject.eps * moved).clamp(0, 1)

    def seen(points: Tensor) -> Tensor:
        return subject.passed(features, points, f"exam {place}").double()

    inner = torch.cat([image, around(_INNER, _SHARE, at_the_end=False)])
    ends, tries = around(_ENDS, 1, at_the_end=True), [around(_TRIES // 2, 1, end) for end in (True, False)]
    inside, candidates = seen(inner), seen(ends)
    if not (inside.isfinite().all() and candidates.isfinite().all()):
        return _Problem(None)
    centre = inside.mean(0)
    spread = (inside - centre).T @ (inside - centre) / len(inside)
    ridge = _RIDGE * spread.diagonal().mean().clamp_min(torch.finfo(torch.float32).tiny)
    spread.diagonal().add_(ridge)
    # The one farthest from the inner points in units of their spread is told from them best, and guessed least.
    farthest = ((candidates - centre) * torch.linalg.solve(spread, (candidates - centre).T).T).sum(1).argmax()
    far = seen(ends[farthest].expand(max(subject.draws, subject.votes), *image.shape[1:])).mean(0)
    across = torch.linalg.solve(spread, far - centre)
    scores, goal = inside @ across, far @ across
    gap = goal - scores.amax()
    if not gap > _ROUNDING * scores.abs().amax():
        return _Problem(None)
    scale = size / float(goal - scores.amin())
    at = scores.amax() + _CLOSENESS * gap
    guessed = bool((seen(torch.cat(tries)) @ across > at).any())
    return _Problem(_Binary(features, (scale * across).float(), (scale * at).float()), guessed)


def _answered(subject: Subject, classifier: _Binary, place: int) -> bool:
    """Whether the white-box attacks, as the audit runs them, find a point of the boundary's class."""
    alone = subject.part(torch.tensor([place], device=subject.labels.device))
    inner = torch.zeros_like(alone.labels)
    there = replace(alone, labels=inner).with_model(classifier)
    # The only image, whose number and class are both 0.
    for planned in subject.budget.attacks:
        if planned.role == WHITE_BOX:
            label = f"exam {place} {planned.label}"
            found = there.attacked(inner, label, planned.attack, **planned.settings)
            if not there.right(found, inner, label):
                return True
    return False


def _exam(subject: Subject, evidence: Evidence) -> Reading:
    asked = (evidence.attackable.tolist() or list(range(len(subject.labels))))[: subject.budget.exams]
    spread = subject.clean.amax(1) - subject.clean.amin(1)
    size = float(spread[spread.isfinite()].median()) if spread.isfinite().any() else 1.0
    with _features(subject.model) as features, evidence.attempt(subject, "binarization test", _FAMILY):
        problems = [(place, _problem(subject, features, place, size or 1.0)) for place in asked]
        posed = [(place, each.classifier) for place, each in problems if each.classifier is not None]
        guessed = sum(each.guessed for _, each in problems)
        if len(posed) <= len(asked) / 2:
            raise CannotBeMadeError(f"{len(asked) - len(posed)} of {len(asked)} problems could not be set up")
        if guessed > len(posed) / 2:
            raise CannotBeMadeError(f"random search answers {guessed} of {len(posed)} problems: they are too easy")
        solved = sum(_answered(subject, classifier, place) for place, classifier in posed)
    low, high = interval_of(solved, len(posed))
    said = (
        f"{solved} of {len(posed)} problems are solved ({100 * low:.0f} to {100 * high:.0f} %), by random search "
        f"{guessed}; {len(asked) - len(posed)} could not be set up"
    )
    return Reading(solved / len(posed), 1 - allowed(len(posed), _MISSED) / len(posed), said, at_least=True)


_FAMILY = "adaptive exam"
CHECKS.add(
    Check(
        "binarization test",
        _FAMILY,
        "Where an answer is known to exist and the attack doesn't find it, it is too weak for this model.",
        "95 % of the problems (Zimmermann et al. 2022), less what chance takes from so few",
        "Adapt the attack to the model: its gradient doesn't lead through the model's own features.",
        _exam,
    )
)
