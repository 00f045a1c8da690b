"""One attack on a model in hand, its images scored afresh."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import clean_pass, model_untouched
from dropover.lab.devices import device_of
from dropover.lab.examples import Examples, pixels
from dropover.lab.records.rows import share
from dropover.lab.streams import INFERENCE, attack_stream, generator, seeded


@dataclass(frozen=True, eq=False)
class Attacked:
    """What an attack has made of a model's images, for each ε.

    Attributes:
        eps: The radii, rising.
        images: Of each, the images (N, C, H, W) as the attack left them, pixels in [0, 1].
        right: Of each, which of them the model still gets right (bool, N), scored afresh.
        clean: The share of the clean images that it gets right.
    """

    eps: tuple[float, ...]
    images: tuple[Tensor, ...]
    right: tuple[Tensor, ...]
    clean: float

    @property
    def accuracy(self) -> dict[float, float]:
        """The share of images that stay right, for each ε: an upper bound, which a stronger attack may lower."""
        return {eps: share(right) for eps, right in zip(self.eps, self.right, strict=True)}

    def __str__(self) -> str:
        under = ", ".join(f"{100 * value:.1f} % at ε = {eps:g}" for eps, value in self.accuracy.items())
        return f"clean {100 * self.clean:.1f} %; under attack {under}"


def attack(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float | Sequence[float],
    name: str = "pgd",
    *,
    batch_size: int = 250,
    seed: int = 0,
    **settings: Any,
) -> Attacked:
    """Attack a model; it is left as it was, also after an error.

    Args:
        model: Maps images with pixels in [0, 1] to logits.
        images: Of shape (N, C, H, W), in [0, 1] or bytes.
        labels: Their classes, of shape (N,).
        eps: One radius or several, at least 0.
        name: Which attack: "fgsm", "bim", "pgd", "pgd-margin", "apgd", "apgd-margin", "apgd-dlr", "apgd-t", "fab",
            "cw", "square".
        batch_size: How many images are attacked at once.
        seed: What the attack draws.
        settings: The attack's, such as `steps`, `norm`, `target`, `restarts`.

    Raises:
        UnknownNameError: no attack is called so.
        TypeError, ValueError: a setting that it doesn't have, or one out of range.

    Example:
        >>> print(attack(model, images, labels, eps=[0.05, 0.1], norm="linf"))
    """
    method, draws = ATTACKS.get(name), generator(seed, attack_stream(name))
    radii = tuple(sorted({float(radius) for radius in (eps if isinstance(eps, Sequence) else [eps])}))
    found: list[list[Tensor]] = [[] for _ in radii]
    right: list[list[Tensor]] = [[] for _ in radii]
    clean: list[Tensor] = []
    with model_untouched(model), seeded(seed, INFERENCE):
        there = device_of(model)
        for batch, classes in Examples(images.to(there), labels.to(there), batch_size).batches():
            known = clean_pass(model, batch)
            clean.append(known.logits.argmax(1) == classes)
            perturbed = method.run(model, batch, classes, radii, draws, known, **settings)
            for place, adversarial in enumerate(perturbed):
                with torch.no_grad():
                    right[place].append(model(pixels(adversarial)).argmax(1) == classes)
                found[place].append(adversarial.detach())
    return Attacked(radii, tuple(map(torch.cat, found)), tuple(map(torch.cat, right)), share(torch.cat(clean)))
