"""The fast gradient sign method (Goodfellow, Shlens & Szegedy 2015)."""

from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import cross_entropy
from dropover.lab.attacks.parts.task import Task


def fgsm(task: Task) -> list[Tensor]:
    """One step of length ε uphill on the cross-entropy, clipped to [0, 1]; one gradient serves every ε.

    In L∞ the step goes along the gradient's sign, in L2 along the gradient.
    """
    adversarial = [task.images.clone() for _ in task.eps]
    for piece in task.pieces(task.open):
        clean = task.images[piece]
        gradient = task.response(clean, piece, cross_entropy).gradient
        assert gradient is not None
        uphill = task.norm.uphill(gradient)
        for images, eps in zip(adversarial, task.eps, strict=True):
            images[piece] = (clean + eps * uphill).clamp(0, 1)
    return adversarial


ATTACKS.add(Attack("fgsm", (), "one step uphill on the cross-entropy", fgsm))
