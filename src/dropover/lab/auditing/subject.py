"""The model under audit: asked always in the same way, every question counted, and left as it was."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.norms import NORMS, Norm
from dropover.lab.attacks.parts.task import CleanPass, model_untouched
from dropover.lab.auditing.budgets import Budget
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.devices import device_of
from dropover.lab.examples import pixels
from dropover.lab.streams import generator, seeded

_BATCH = 250


def stream(name: str) -> str:
    """The random stream that one part of an audit draws from."""
    return f"audit {name}"


class Watched(nn.Module):
    """A model that takes float32 images and gives float32 logits, whatever its own precision; it counts both ways.

    Attributes:
        forwards: How many images have passed it.
        gradients: Of how many of them a gradient was asked.
        tamed: Whether gradients that are not finite reach an attack as 0, instead of ending it for their image.
        heard: Called after each pass, by whoever tells how far the audit is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.forwards = self.gradients = 0
        self.tamed = True
        self.heard: Callable[[], None] = lambda: None
        self._type = next((each.dtype for each in model.parameters() if each.is_floating_point()), torch.float32)

    @property
    def rounding(self) -> float:
        """What the arithmetic may add to a logit, as a share of the largest: its type's, on a GPU that of TF32."""
        exact = all(each.device.type == "cpu" for each in self.model.parameters())
        return max(torch.finfo(self._type).eps, 0.0 if exact else 2.0**-10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, H, W)."""
        asked = x.requires_grad and torch.is_grad_enabled()
        self.forwards += len(x)
        self.gradients += len(x) if asked else 0
        logits = self.model((_Tamed.apply(x) if asked and self.tamed else x).to(self._type))
        if not isinstance(logits, Tensor) or not logits.is_floating_point():
            kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the model must return logits, a tensor of real numbers, got {kind}")
        if logits.ndim != 2 or len(logits) != len(x) or logits.shape[1] < 2:
            raise ValueError(f"the model must return logits ({len(x)}, classes), got the shape {tuple(logits.shape)}")
        self.heard()
        # A model that is cut off from its input has the gradient 0 instead of an error's.
        return logits.float() + 0 * x.flatten(1).sum(1, keepdim=True) if asked else logits.float()


class _Tamed(torch.autograd.Function):
    """The identity, whose gradient is 0 where it isn't finite."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_context: Any, *slopes: Tensor) -> Tensor:
        return slopes[0].nan_to_num(0, 0, 0)


@dataclass(frozen=True)
class Subject:
    """A model, the images that it is audited on, and how.

    Attributes:
        model: In evaluation mode, its weights wanting no gradient.
        images: With pixels in [0, 1] (N, C, H, W), on the model's device like the labels.
        labels: Their classes (N,).
        index: Their numbers among those that were given (N,).
        eps: The radius of the ball, in pixels.
        norm: Measures it.
        seed: Of everything that is drawn.
        budget: What may be spent.
        clean: Logits on the images (N, classes).
        random: Whether two passes differ.
        draws: Gradients are averaged over so many passes.
        twins: Further models, in evaluation mode, whose adversarial examples are tried on this one.
    """

    model: Watched
    images: Tensor
    labels: Tensor
    index: Tensor
    eps: float
    norm: Norm
    seed: int
    budget: Budget
    clean: Tensor
    random: bool
    draws: int = 1
    twins: tuple[nn.Module, ...] = ()

    @property
    def classes(self) -> int:
        """How many outputs the model has."""
        return self.clean.shape[1]

    @property
    def votes(self) -> int:
        """Passes that decide whether an image is right."""
        return self.budget.votes if self.random else 1

    def generator(self, name: str) -> torch.Generator:
        """A generator at the start of a part's own stream."""
        return generator(self.seed, stream(name))

    def attacked(self, which: Tensor, label: str, attack: str, eps: float | None = None, **settings: Any) -> Tensor:
        """What an attack makes of the images `which` (n,): images (n, C, H, W), in the ball of `eps`, or else of ours.

        `label` names the random stream.
        """
        draws, radius = self.generator(label), self.eps if eps is None else eps
        found = [self.images[:0]]
        for number, part in enumerate(torch.split(which, _BATCH) if len(which) else ()):
            known = CleanPass(self.clean[part], self.random)
            # The votes must not be cast with the very draws that the attack has seen.
            with seeded(self.seed, f"{stream(label)} {number}", part.device):
                found += ATTACKS.get(attack).run(
                    self.model,
                    self.images[part],
                    self.labels[part],
                    [radius],
                    draws,
                    known,
                    norm=self.norm.name,
                    eot=self.draws,
                    **settings,
                )
        return torch.cat(found)

    def logits(self, images: Tensor, label: str = "scoring") -> Tensor:
        """Logits (n, classes) of one pass over images (n, C, H, W)."""
        return self.passed(self.model, images, label) if len(images) else self.clean[:0]

    def passed(self, model: nn.Module, images: Tensor, label: str) -> Tensor:
        """What a model, or a part of one, makes of images (n, C, H, W), at least one, in one pass without gradients."""
        parts = []
        for number, part in enumerate(torch.split(images, _BATCH)):
            with seeded(self.seed, f"{stream(label)} {number}", part.device), torch.no_grad():
                parts.append(model(part))
        return torch.cat(parts)

    def right(self, images: Tensor, which: Tensor, label: str = "scoring", votes: int | None = None) -> Tensor:
        """Whether the model gets images (n, C, H, W) right, made from the images `which` (n,): bool (n,).

        Where inference is random, by a majority of passes. An output that isn't finite is not right.
        """
        return self.share_right(images, which, label, self.votes if votes is None else votes) > 0.5

    def share_right(self, images: Tensor, which: Tensor, label: str, votes: int) -> Tensor:
        """The share of so many passes that get images (n, C, H, W) right, made from the images `which`: (n,)."""
        count = torch.zeros(len(images), device=images.device)
        for vote in range(votes):
            logits = self.logits(images, f"{label} {vote}")
            count += (logits.argmax(1) == self.labels[which]) & logits.isfinite().all(1)
        return count / votes

    def part(self, which: Tensor) -> "Subject":
        """The same with the images `which` (n,) alone."""
        images, labels, clean, index = (all_of[which] for all_of in (self.images, self.labels, self.clean, self.index))
        return replace(self, images=images, labels=labels, clean=clean, index=index)

    def with_model(self, model: nn.Module) -> "Subject":
        """The same images for another model: a changed copy of this one, or one that stands in for it."""
        watched = Watched(model)
        there = replace(self, model=watched)
        return replace(there, clean=there.logits(self.images, "clean"))


@contextmanager
def opened(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    norm: str,
    seed: int,
    budget: Budget,
    twins: Sequence[nn.Module] = (),
) -> Iterator[Subject]:
    """The subject of an audit; the model and its twins are put back as they were, also after an error.

    Of the images, bytes or in [0, 1], it has as many as the budget allows, classes taking turns.

    Raises:
        ValueError: a model returns something else than logits, or has fewer outputs than there are classes.
    """
    with ExitStack() as kept:
        for each in (model, *twins):
            kept.enter_context(model_untouched(each))
        watched = Watched(model).eval()
        there = device_of(model)
        index = balanced_prefix(labels.cpu(), min(budget.images or len(labels), len(labels)))
        shown = pixels(images[index].to(there))
        ball = NORMS[norm](torch.ones(1, 1, 1, device=there))
        chosen = labels[index].to(there)
        bare = Subject(watched, shown, chosen, index.to(there), eps, ball, seed, budget, shown.new_zeros(0, 2), False)
        clean = bare.logits(shown, "clean")
        if int(labels.max()) >= clean.shape[1]:
            raise ValueError(f"labels must be below {clean.shape[1]}, the model's outputs, got {int(labels.max())}")
        for number, twin in enumerate(twins):
            outputs = bare.with_model(twin).classes
            if int(labels.max()) >= outputs:
                raise ValueError(f"labels must be below {outputs}, twin {number}'s outputs, got {int(labels.max())}")
        again = bare.logits(shown, "clean again")
        differ = not torch.equal(clean.nan_to_num(), again.nan_to_num())
        yield replace(bare, clean=clean, random=differ, twins=tuple(twins))
