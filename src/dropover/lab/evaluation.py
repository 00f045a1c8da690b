"""What a trained model is worth: clean accuracy, accuracy under noise, accuracy under attack."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.task import Known
from dropover.lab.noise import NOISES
from dropover.lab.streams import INFERENCE, attack_stream, generator, inference_stream, noise_stream, seeded
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
    return _score(model, examples, seed, lambda images: images)


def right_under_noise(
    model: nn.Module, examples: Examples, seed: int, name: str, level: float, *, clip: bool = True
) -> Tensor:
    """Which images the model still gets right (bool, N) when the noise `name` of that level is on them."""
    noise, draws = NOISES.get(name), generator(seed, noise_stream(name, level))
    logits = _score(model, examples, seed, lambda images: noise.apply(images, level, draws, clip=clip))
    return logits.argmax(1) == examples.labels


def right_under_attack(
    model: nn.Module,
    examples: Examples,
    known: Known,
    seed: int,
    settings: AttackSettings,
    report: Callable[[float], None] = lambda _done: None,
) -> dict[float, Tensor]:
    """How often the model gets each image right after the attack has had it, in [0, 1], of shape (N,), for each ε.

    The images come back from the attack and are scored anew: what the attack believes counts for nothing. Where
    inference is random they are scored as many times as the attack's `eot` says; else the share is 0 or 1.

    Args:
        model: In evaluation mode.
        examples: The images to attack.
        known: What the clean pass over them has shown.
        seed: The trial's seed.
        settings: The attack.
        report: Called with the share of this work that is done.
    """
    attack, draws = ATTACKS.get(settings.name), generator(seed, attack_stream(settings.label))
    eps, size = sorted(settings.eps), examples.batch_size
    times = attack.terms(settings.settings).eot if known.random else 1
    shares: dict[float, list[Tensor]] = {radius: [] for radius in eps}
    batches = examples.batches()
    for number, (images, labels) in enumerate(batches):
        report(number / len(batches))
        clean = Known(known.logits[number * size : (number + 1) * size], known.random)
        # A model whose inference is random must not be scored with the very draws that the attack has seen.
        with seeded(seed, f"{INFERENCE} under {settings.label} {number}"):
            found = attack.run(model, images, labels, eps, draws, clean, **settings.settings)
        for radius, adversarial in zip(eps, found, strict=True):
            with seeded(seed, inference_stream(number)), torch.inference_mode():
                scores = [model(adversarial).argmax(1) == labels for _ in range(times)]
            shares[radius].append(torch.stack(scores).double().mean(0))
    return {radius: torch.cat(parts) for radius, parts in shares.items()}


def _score(model: nn.Module, examples: Examples, seed: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    parts = []
    for number, (images, _) in enumerate(examples.batches()):
        changed = change(images)
        with seeded(seed, inference_stream(number)), torch.inference_mode():
            parts.append(model(changed))
    return torch.cat(parts)
