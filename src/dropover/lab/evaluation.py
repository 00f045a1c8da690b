"""What a trained model is worth: clean accuracy, accuracy under noise, accuracy under attack."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.noise import NOISES
from dropover.lab.streams import INFERENCE, attack_stream, generator, noise_stream, seeded
from dropover.lab.study import AttackSettings


def pixels(images: Tensor) -> Tensor:
    """uint8 images as float32 in [0, 1], laid out channels-last, which the convolutions want."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Examples:
    """Test images to score a model on: uint8 (N, C, H, W), their classes, and how many are scored at once."""

    images: Tensor
    labels: Tensor
    batch_size: int

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Pixels in [0, 1] and classes, batch by batch."""
        starts = range(0, len(self.labels), self.batch_size)
        parts = [slice(start, start + self.batch_size) for start in starts]
        return [(pixels(self.images[part]), self.labels[part]) for part in parts]


def logits_on(model: nn.Module, examples: Examples, seed: int) -> Tensor:
    """The logits on clean images, of shape (N, classes). The model must be in evaluation mode."""
    return _score(model, examples, seed, lambda images, _labels, _number: images)


def right_under_noise(model: nn.Module, examples: Examples, seed: int, name: str, level: float) -> Tensor:
    """Which images the model still gets right (bool, N) when the noise `name` of that level is on them."""
    noise, draws = NOISES.get(name), generator(seed, noise_stream(name, level))
    logits = _score(model, examples, seed, lambda images, _labels, _number: noise.apply(images, level, draws))
    return logits.argmax(1) == examples.labels


def right_under_attack(model: nn.Module, examples: Examples, seed: int, settings: AttackSettings, eps: float) -> Tensor:
    """Which images the model gets right (bool, N) after the attack has had them, at one ε.

    The images come back from the attack and are scored anew: what the attack believes counts for nothing.
    """
    attack, draws = ATTACKS.get(settings.name), generator(seed, attack_stream(settings.name, eps))

    def perturbed(images: Tensor, labels: Tensor, number: int) -> Tensor:
        # A model whose inference is random must not be scored with the very draws that the attack has seen.
        with seeded(seed, f"{INFERENCE} under {settings.name} {eps} {number}"):
            return attack.run(model, images, labels, eps, draws, **settings.settings)

    return _score(model, examples, seed, perturbed).argmax(1) == examples.labels


def _score(model: nn.Module, examples: Examples, seed: int, change: Callable[[Tensor, Tensor, int], Tensor]) -> Tensor:
    with seeded(seed, INFERENCE):
        parts = []
        for number, (images, labels) in enumerate(examples.batches()):
            changed = change(images, labels, number)
            with torch.inference_mode():
                parts.append(model(changed))
        return torch.cat(parts)
