"""What a trained model is worth under noise and under attack, image by image."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import CleanPass
from dropover.lab.examples import Examples, scored
from dropover.lab.noise import NOISES
from dropover.lab.streams import INFERENCE, attack_stream, generator, inference_stream, noise_stream, seeded
from dropover.lab.study import AttackSettings


def right_under_noise(
    model: nn.Module, examples: Examples, seed: int, name: str, level: float, *, clip: bool = True
) -> Tensor:
    """Which images the model still gets right (bool, N) when the noise `name` of that level is on them."""
    noise, draws = NOISES.get(name), generator(seed, noise_stream(name, level))
    logits = scored(model, examples, seed, lambda images: noise.apply(images, level, draws, clip=clip))
    return logits.argmax(1) == examples.labels


def right_under_attack(
    model: nn.Module,
    examples: Examples,
    known: CleanPass,
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
        clean = CleanPass(known.logits[number * size : (number + 1) * size], known.random)
        # A model whose inference is random must not be scored with the very draws that the attack has seen.
        with seeded(seed, f"{INFERENCE} under {settings.label} {number}"):
            found = attack.run(model, images, labels, eps, draws, clean, **settings.settings)
        for radius, adversarial in zip(eps, found, strict=True):
            with seeded(seed, inference_stream(number)), torch.inference_mode():
                scores = [model(adversarial).argmax(1) == labels for _ in range(times)]
            shares[radius].append(torch.stack(scores).double().mean(0))
    return {radius: torch.cat(parts) for radius, parts in shares.items()}
