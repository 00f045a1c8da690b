"""The fast gradient sign method (Goodfellow, Shlens & Szegedy 2015)."""

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.losses import cross_entropy
from dropover.lab.attacks.untouched import model_untouched


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """One step of size `eps` along the sign of the cross-entropy's gradient, clipped to [0, 1].

    Args:
        model: Maps images to logits.
        images: Pixels in [0, 1], of shape (N, C, H, W).
        labels: Their classes, of shape (N,).
        eps: Size of the step, in pixels.
        generator: Not read: nothing is random here.
    """
    with model_untouched(model), torch.enable_grad():
        x = images.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(model(x), labels).sum(), x)
    return (images + eps * gradient.sign()).clamp(0, 1)


ATTACKS.add(Attack("fgsm", (), "one step along the sign of the cross-entropy's gradient", fgsm))
