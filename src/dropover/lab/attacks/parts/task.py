"""What an attack is given: a lent model, the images, the ball, and what is known about them already."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dropover.lab.attacks.parts.losses import Loss
from dropover.lab.attacks.parts.norms import NORMS, Norm
from dropover.validation import choice, number, whole

PIXELS, NORMALISED = "pixels", "normalised"
TARGETS = ("least-likely", "runner-up", "random")

# Enough images to notice that two passes differ, few enough to cost nothing.
_PROBE = 16

# Images for each thread. What a network makes of fewer isn't worth the calls, what it makes of more leaves the cache.
_PIECE = 64


@dataclass(frozen=True)
class Terms:
    """The settings that every attack has.

    Attributes:
        norm: "linf" or "l2".
        target: None: any wrong class will do. Else the class to reach: "least-likely" or "runner-up" on the clean image
            by the model's own logits, or "random" among the wrong ones.
        units: What ε measures: "pixels" in [0, 1], or "normalised": of the input divided by `std`.
        std: The divisor of a normalised input, a number or one per channel; the lab's own networks divide by 0.5.
        eot: How many draws a gradient and a loss are averaged over where inference is random, at least 1 (expectation
            over transformation, Athalye et al. 2018). Without effect on a deterministic model.
    """

    norm: str
    target: str | None = None
    units: str = PIXELS
    std: float | Sequence[float] | None = None
    eot: int = 1

    def __post_init__(self) -> None:
        choice("norm", self.norm, NORMS)
        choice("target", self.target, (None, *TARGETS))
        choice("units", self.units, (PIXELS, NORMALISED))
        whole("eot", self.eot, 1)
        if self.std is not None and self.units == PIXELS:
            raise ValueError(f"std has no effect with units {PIXELS!r}: it is for units {NORMALISED!r}")
        for value in self.stds:
            if number("std", value, 0) == 0:
                raise ValueError("std must be above 0, got 0")

    @property
    def stds(self) -> list[float]:
        """One unit of ε in pixels: a number for all channels, or one for each."""
        if self.units == PIXELS:
            return [1.0]
        std = 0.5 if self.std is None else self.std
        return list(std) if isinstance(std, Sequence) else [std]

    def ball(self, images: Tensor) -> Norm:
        """The norm that measures perturbations of these images."""
        if len(self.stds) not in (1, images.shape[1]):
            raise ValueError(f"std must be one number or one for each of {images.shape[1]} channels, got {self.std!r}")
        return NORMS[self.norm](torch.tensor(self.stds, device=images.device)[:, None, None])


@dataclass(frozen=True)
class Known:
    """What a clean pass has shown: the logits (N, classes), and whether the model's inference is random."""

    logits: Tensor
    random: bool


def inference_is_random(model: nn.Module, images: Tensor) -> bool:
    """Whether two passes over a few images differ in a bit: holds for any model, whatever its layers are called."""
    with torch.no_grad():
        return not torch.equal(model(images[:_PROBE]), model(images[:_PROBE]))


def look_at(model: nn.Module, images: Tensor) -> Known:
    """The clean pass, where nobody has made it before."""
    with torch.no_grad():
        return Known(model(images), inference_is_random(model, images))


@dataclass(frozen=True)
class Seen:
    """Per image: the loss, its gradient (None if not asked for), and whether the attack has what it wants."""

    values: Tensor
    gradient: Tensor | None
    done: Tensor


@dataclass(frozen=True)
class Task:
    """One batch under attack. The model is in evaluation mode and its weights want no gradient.

    Attributes:
        model: Maps images to logits.
        images: Pixels in [0, 1], of shape (N, C, H, W).
        labels: Their classes, of shape (N,).
        eps: Radii, rising.
        norm: Measures perturbations.
        targets: The classes to reach (N,); None if any wrong one will do.
        known: The clean pass.
        draws: Passes that a gradient is averaged over.
        seed: Where all random numbers of the attack come from; it does not depend on the model.
        open: Indices of the images to attack: those that the model gets right, or all where its inference is random,
            since there no single pass settles anything.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    eps: list[float]
    norm: Norm
    targets: Tensor | None
    known: Known
    draws: int
    seed: int
    open: Tensor = field(init=False)

    def __post_init__(self) -> None:
        right = self.known.logits.argmax(1) == self.labels
        attacked = torch.ones_like(right) if self.known.random else right
        object.__setattr__(self, "open", attacked.nonzero().squeeze(1))

    def see(self, x: Tensor, which: Tensor, loss: Loss, *, gradient: bool = True) -> Seen:
        """The loss of perturbed images `x`, made from the images `which`; averaged where inference is random."""
        labels = self.labels[which]
        targets = None if self.targets is None else self.targets[which]
        total, slope = torch.zeros(len(x), device=x.device), None
        done = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        for _ in range(self.draws):
            point = x.detach().requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                logits = self.model(point)
                values = loss(logits, labels, targets)
            if gradient:
                (own,) = torch.autograd.grad(values.sum(), point)
                slope = own if slope is None else slope + own
            total = total + values.detach() / self.draws
            if not self.known.random:
                guess = logits.detach().argmax(1)
                done = guess != labels if targets is None else guess == targets
        return Seen(total, slope, done)

    def pieces(self, which: Tensor) -> Sequence[Tensor]:
        """The images `which`, cut into as many as are best worked on at once."""
        return torch.split(which, _PIECE * torch.get_num_threads()) if which.device.type == "cpu" else [which]

    def inside(self, x: Tensor, which: Tensor, eps: float) -> Tensor:
        """`x` moved into the ball around the images `which`, and into [0, 1]."""
        centre = self.images[which]
        # Clamping to a box that holds the centre takes no point out of the ball.
        return (centre + self.norm.project(x - centre, eps)).clamp(0, 1)

    def generator(self, index: int = 0) -> torch.Generator:
        """A generator at the start of one of the attack's own random sequences."""
        return torch.Generator().manual_seed(self.seed + index)


def targets_of(rule: str | None, known: Known, labels: Tensor, generator: torch.Generator) -> Tensor | None:
    """The classes (N,) that a rule of `TARGETS` names, never the right one."""
    if rule is None:
        return None
    classes = known.logits.shape[1]
    if rule == "random":
        ahead = torch.randint(1, classes, labels.shape, generator=generator).to(labels.device)
        return (labels + ahead) % classes
    worst, index = (torch.inf, 0) if rule == "least-likely" else (-torch.inf, classes - 1)
    wrong = known.logits.scatter(1, labels[:, None], worst)
    return wrong.sort(1).indices[:, index]
