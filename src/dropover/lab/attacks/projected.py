"""Projected gradient ascent in the L∞ ball: the loop that every iterative attack here shares."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dropover.lab.attacks.untouched import model_untouched
from dropover.validation import number, whole

Loss = Callable[[Tensor, Tensor], Tensor]

# Enough images to notice that two passes differ, few enough to cost nothing.
_PROBE = 32


def ascend(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    generator: torch.Generator,
    *,
    loss: Loss,
    steps: int,
    step: float,
    restarts: int,
) -> Tensor:
    """Climb `loss` within `eps` of the images from random starts, and keep the best image found.

    An image that a deterministic model gets wrong is done with: it leaves the batch. A model whose inference is random
    has no such images; there the best is the one of the greatest loss. The random starts are drawn for all images at
    once, so that they are the same for every model.

    Args:
        model: Maps images to logits.
        images: Pixels in [0, 1], of shape (N, C, H, W).
        labels: Their classes, of shape (N,).
        eps: Radius of the L∞ ball, in pixels.
        generator: Where the random starts come from.
        loss: Loss per image from logits and labels.
        steps: Steps of each restart, at least 1.
        step: Size of a step as a fraction of `eps`, above 0, at most 2.
        restarts: How many random starts, at least 1.

    Returns:
        Images of the same shape, in the ball and in [0, 1].
    """
    _check(steps, step, restarts)
    low, high = (images - eps).clamp_min(0), (images + eps).clamp_max(1)
    best = images.detach().clone()
    greatest = torch.full((len(images),), -torch.inf)
    with model_untouched(model), torch.enable_grad():
        drops = _is_deterministic(model, images[:_PROBE])
        left = torch.arange(len(images))
        if drops:
            left = left[_is_right(model, images, labels)]
        for _ in range(restarts):
            start = images + eps * (2 * torch.rand(images.shape, generator=generator) - 1)
            x = start.clamp(low, high)[left]
            for taken in range(steps + 1):
                if not len(left):
                    return best
                x.requires_grad_()
                logits = model(x)
                values = loss(logits, labels[left])
                right = logits.detach().argmax(1) == labels[left]
                better = (values.detach() > greatest[left]) | (~right if drops else False)
                best[left[better]], greatest[left[better]] = x.detach()[better], values.detach()[better]
                if taken < steps:
                    (gradient,) = torch.autograd.grad(values.sum(), x)
                    x = torch.clamp(x.detach() + step * eps * gradient.sign(), low[left], high[left])
                if drops and not right.all():
                    x, left = x[right], left[right]
                x = x.detach()
    return best


def _is_right(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        right: Tensor = model(images).argmax(1) == labels
    return right


def _is_deterministic(model: nn.Module, images: Tensor) -> bool:
    """Whether two passes agree to the bit: holds for any model, whatever its layers are called."""
    with torch.no_grad():
        return torch.equal(model(images), model(images))


def _check(steps: int, step: float, restarts: int) -> None:
    whole("steps", steps, 1)
    whole("restarts", restarts, 1)
    if number("step", step, 0, 2) == 0:
        raise ValueError("step, a fraction of eps, must be above 0, got 0")
