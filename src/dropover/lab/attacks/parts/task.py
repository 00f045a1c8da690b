"""What an attack is given: its terms, a lent model, images, what a clean pass has shown, and the balls to search."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dropover.lab.attacks.parts.losses import Loss, margin
from dropover.lab.attacks.parts.norms import NORMS, Norm
from dropover.lab.streams import random_states_kept
from dropover.validation import choice, number, settle, whole

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

    def norm_for(self, images: Tensor) -> Norm:
        """The norm that measures perturbations of these images."""
        if len(self.stds) not in (1, images.shape[1]):
            raise ValueError(f"std must be one number or one for each of {images.shape[1]} channels, got {self.std!r}")
        return NORMS[self.norm](torch.tensor(self.stds, device=images.device)[:, None, None])


@contextmanager
def model_untouched(model: nn.Module) -> Iterator[None]:
    """Inside: evaluation mode, and no gradients for parameters. Afterwards, also after an error: as before.

    What is put back: every submodule's training flag and buffers, every parameter's `requires_grad`, and the random
    state of the CPU and of every accelerator that holds a parameter. Since no parameter asks for a gradient, no `.grad`
    changes.
    """
    flags = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        with random_states_kept(parameter.device for parameter in model.parameters()):
            model.eval()
            for parameter in wanting:
                # Gradients of the weights would cost a third of the time and be thrown away.
                parameter.requires_grad_(False)
            yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_(True)
        for module, name, buffer, content in buffers:
            module._buffers[name] = buffer
            if not torch.equal(buffer, content):
                buffer.copy_(content)
        for module, training in flags:
            module.training = training


@dataclass(frozen=True)
class CleanPass:
    """What a pass over the clean images has shown: the logits (N, classes), and whether inference is random."""

    logits: Tensor
    random: bool


def inference_is_random(model: nn.Module, images: Tensor) -> bool:
    """Whether two passes over a few images differ in a bit: holds for any model, whatever its layers are called."""
    with torch.no_grad():
        return not torch.equal(model(images[:_PROBE]), model(images[:_PROBE]))


def clean_pass(model: nn.Module, images: Tensor) -> CleanPass:
    """The clean pass, where nobody has made it before."""
    with torch.no_grad():
        return CleanPass(model(images), inference_is_random(model, images))


@dataclass(frozen=True)
class Response:
    """What a model makes of each image: the loss, its gradient (None if not asked for), whether the image has fallen.

    It has where the attack has what it wants for good; where inference is random, none ever has.
    """

    values: Tensor
    gradient: Tensor | None
    fallen: Tensor

    def of(self, images: Tensor) -> "Response":
        """The response to those images alone for which the mask (N,) is true."""
        gradient = None if self.gradient is None else self.gradient[images]
        return Response(self.values[images], gradient, self.fallen[images])


@dataclass(frozen=True)
class Task:
    """One batch under attack: images (N, C, H, W) with pixels in [0, 1], and their classes (N,).

    The model, from images to logits, is in evaluation mode and its weights want no gradient. The radii `eps` rise;
    `targets` are the classes to reach (N,), None if any wrong one will do; losses pull towards the classes `toward`
    (N,), by default these; gradients are averaged over `draws` passes; all random numbers come from `seed`, which does
    not depend on the model. The indices `open` are of the images to attack: those that the model gets right, or all
    where its inference is random, since there no single pass settles anything.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    eps: list[float]
    norm: Norm
    targets: Tensor | None
    clean: CleanPass
    draws: int
    seed: int
    toward: Tensor | None = None
    open: Tensor = field(init=False)

    def __post_init__(self) -> None:
        right = self.clean.logits.argmax(1) == self.labels
        settle(self, open=(right | self.clean.random).nonzero().squeeze(1))

    @property
    def aim(self) -> Tensor | None:
        """The classes (N,) that losses pull to, if any."""
        return self.targets if self.toward is None else self.toward

    def response(self, x: Tensor, which: Tensor, loss: Loss, *, gradient: bool = True) -> Response:
        """The model's to perturbed images `x`, made from the images `which`: a mean where inference is random."""
        labels = self.labels[which]
        targets = None if self.targets is None else self.targets[which]
        toward = None if self.aim is None else self.aim[which]
        total, slope = torch.zeros(len(x), device=x.device), None
        fallen = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        for _ in range(self.draws):
            point = x.detach().requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                logits = self.model(point)
                values = loss(logits, labels, toward)
            if gradient:
                (of_draw,) = torch.autograd.grad(values.sum(), point)
                slope = of_draw if slope is None else slope + of_draw
            total = total + values.detach() / self.draws
            if not self.clean.random:
                guess = logits.detach().argmax(1)
                fallen = guess != labels if targets is None else guess == targets
        return Response(total, slope, fallen)

    def fells(self, x: Tensor, which: Tensor) -> Tensor:
        """Whether perturbed images `x`, made from the images `which`, are what the attack wants (bool, (n,)).

        Where inference is random, by the mean of `draws` passes.
        """
        return self.response(x, which, margin, gradient=False).values > 0

    def in_each_ball(self, search: Callable[["Ball", Tensor], Tensor], values: Tensor) -> list[Tensor]:
        """Search the ball of each ε in turn for the best images (N, C, H, W); at an ε the best up to it.

        An image that has fallen is done with for larger ε too, whose balls hold it.
        Of a ball and the indices of the images to search it for, `search` returns those that still stand. In each ball
        an image has to exceed the losses `values` (N,).
        """
        best, standing, adversarial = self.images.clone(), self.open, []
        for eps in self.eps:
            if eps > 0:
                standing = search(Ball(self, eps, best, values.clone()), standing)
            adversarial.append(best.clone())
        return adversarial

    def pieces(self, which: Tensor) -> Sequence[Tensor]:
        """The images `which`, cut into as many as are best worked on at once."""
        if not len(which):
            return []
        return torch.split(which, _PIECE * torch.get_num_threads()) if which.device.type == "cpu" else [which]

    def generator(self, index: int = 0) -> torch.Generator:
        """A generator at the start of one of the attack's own random sequences."""
        return torch.Generator().manual_seed(self.seed + index)


@dataclass(frozen=True)
class Ball:
    """The ball of one radius around each image of a task, and the best image found in it or a smaller one.

    These are `best`, of shape (N, C, H, W), and `values` are the greatest losses found in this ball, of shape (N,).
    """

    task: Task
    eps: float
    best: Tensor
    values: Tensor

    def inside(self, x: Tensor, which: Tensor) -> Tensor:
        """`x` moved into the ball around the images `which`, and into [0, 1]."""
        centre = self.task.images[which]
        # Clamping to a box that holds the centre takes no point out of the ball.
        return (centre + self.task.norm.project(x - centre, self.eps)).clamp(0, 1)

    def keep(self, x: Tensor, which: Tensor, response: Response) -> Tensor:
        """Keep those of `x`, made from the images `which`, that are better or have fallen; the mask of these."""
        better = (response.values > self.values[which]) | response.fallen
        self.best[which[better]], self.values[which[better]] = x[better], response.values[better]
        return better


def runners_up(task: Task, count: int) -> list[Tensor | None]:
    """The wrong classes (N,) of the greatest clean logits, one after the other; a targeted task's own target alone."""
    if task.targets is not None:
        return [None]
    wrong = task.clean.logits.scatter(1, task.labels[:, None], -torch.inf)
    ranked = wrong.sort(1, descending=True).indices
    return list(ranked[:, : min(count, ranked.shape[1] - 1)].unbind(1))


def targets_of(rule: str | None, clean: CleanPass, labels: Tensor, generator: torch.Generator) -> Tensor | None:
    """The classes (N,) that a rule of `TARGETS` names, never the right one."""
    if rule is None:
        return None
    classes = clean.logits.shape[1]
    if rule == "random":
        ahead = torch.randint(1, classes, labels.shape, generator=generator).to(labels.device)
        return (labels + ahead) % classes
    worst, index = (torch.inf, 0) if rule == "least-likely" else (-torch.inf, classes - 1)
    wrong = clean.logits.scatter(1, labels[:, None], worst)
    return wrong.sort(1).indices[:, index]
