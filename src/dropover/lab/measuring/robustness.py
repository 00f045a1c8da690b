"""What a trained model is worth under noise and under attack: image by image, and as rows of the long table."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import CleanPass, inference_is_random
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import Examples, logits_on, pixels, scored
from dropover.lab.models.parts.placed_layers import inference_rate
from dropover.lab.noise import NOISES
from dropover.lab.records.rows import CLEAN, CORRECT, PER_SECOND, WORST, Row, share
from dropover.lab.streams import INFERENCE, attack_stream, generator, inference_stream, noise_stream, seeded
from dropover.lab.study import AttackSettings, Study


def norm_of(attack: AttackSettings) -> str:
    """The norm that an attack of a study is held to."""
    return ATTACKS.get(attack.name).terms(attack.settings).norm


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
    report: Callable[[float], None],
) -> dict[float, Tensor]:
    """How often the model gets each image right after the attack has had it, in [0, 1], of shape (N,), for each ε.

    They are on the CPU, whatever the model's device.
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
        with seeded(seed, f"{INFERENCE} under {settings.label} {number}", images.device):
            perturbed = attack.run(model, images, labels, eps, draws, clean, **settings.settings)
        for radius, adversarial in zip(eps, perturbed, strict=True):
            with seeded(seed, inference_stream(number), images.device), torch.inference_mode():
                scores = [model(adversarial).argmax(1) == labels for _ in range(times)]
            shares[radius].append(torch.stack(scores).to("cpu", torch.float64).mean(0))
    return {radius: torch.cat(parts) for radius, parts in shares.items()}


def noise_rows(
    study: Study, model: nn.Module, examples: Examples, seed: int, report: Callable[[float], None]
) -> list[Row]:
    """One row per noise and level: the share of images that stay right.

    Args:
        study: Says which noises, at which levels.
        model: In evaluation mode.
        examples: The images to put noise on.
        seed: The trial's seed.
        report: Called with the share of this work that is done.
    """
    noises = [(name, level) for name, levels in study.evaluation.noise.items() for level in levels]
    rows = []
    for index, (name, level) in enumerate(noises):
        report(index / len(noises))
        right = right_under_noise(model, examples, seed, name, level, clip=study.evaluation.clip_noise)
        rows.append(Row(name, level, share(right)))
    return rows


def attack_rows(
    study: Study,
    model: nn.Module,
    examples: Examples,
    clean: Tensor,
    seed: int,
    report: Callable[[float, str], None],
) -> list[Row]:
    """Per attack and ε the share of all images that stay right, and of those that were right; the worst per norm.

    Images attacked a second, each ε of each attack counted, come first.

    Only what the model gets right is attacked: an image that it gets wrong stays wrong. For every rate in
    `evaluation.inference_rates` the same once more with the model's layers at that rate; a model without layers, the
    arm of no regularizer, has no such rows.

    Args:
        study: Says which attacks, on how many images, at which rates.
        model: In evaluation mode.
        examples: The test images.
        clean: The model's logits on them, of shape (N, classes).
        seed: The trial's seed.
        report: Called with the share of this work that is done and the attack's label.
    """
    attacks = study.evaluation.attacks
    norms = {attack.label: norm_of(attack) for attack in attacks}
    chosen = balanced_prefix(examples.labels, study.evaluation.attack_images or len(examples.labels))
    attacked = examples.chosen(chosen)
    rates = study.evaluation.inference_rates if any(True for _ in regularizers(model)) else []

    def survival(part: int, logits: Tensor) -> dict[tuple[str, float], Tensor]:
        def report_part(done: float, label: str) -> None:
            report((part + done) / (1 + len(rates)), label)

        return _survival(attacks, model, attacked, logits[chosen], seed, report_part)

    started = time.perf_counter()
    survivors = survival(0, clean)
    before = _right(clean[chosen], attacked)
    images = len(survivors) * len(before)
    rows = [Row(PER_SECOND, None, images / (time.perf_counter() - started))] if survivors else []
    worst: dict[tuple[str, float], Tensor] = {}
    for (label, eps), right in survivors.items():
        worst[norms[label], eps] = torch.minimum(worst.get((norms[label], eps), before.double()), right)
        rows.append(Row(label, eps, share(right), norms[label]))
        rows.append(Row(label, eps, share(right[before]), norms[label], CORRECT))
    order = list(dict.fromkeys(norms.values()))
    for norm, eps in sorted(worst, key=lambda at: (order.index(at[0]), at[1])):
        rows.append(Row(WORST, eps, share(worst[norm, eps]), norm))
    for part, rate in enumerate(rates, start=1):
        with inference_rate(model, rate):
            logits = logits_on(model, examples, seed)
            rows.append(Row(CLEAN, None, share(logits.argmax(1) == examples.labels), inference_rate=rate))
            survivors = survival(part, logits)
        rows += [
            Row(label, eps, share(right), norms[label], inference_rate=rate)
            for (label, eps), right in survivors.items()
        ]
    return rows


def _right(logits: Tensor, examples: Examples) -> Tensor:
    """Which images are right by these logits, (N,) on the CPU."""
    return (logits.argmax(1) == examples.labels).to("cpu")


def _survival(
    attacks: list[AttackSettings],
    model: nn.Module,
    attacked: Examples,
    logits: Tensor,
    seed: int,
    report: Callable[[float, str], None],
) -> dict[tuple[str, float], Tensor]:
    """How far each image, right on a clean pass with these logits, still is: per attack and ε (N, in [0, 1])."""
    if not attacks:
        return {}
    before = _right(logits, attacked)
    with seeded(seed, INFERENCE, attacked.labels.device):
        known = CleanPass(logits, inference_is_random(model, pixels(attacked.images[: attacked.batch_size])))
    survivors: dict[tuple[str, float], Tensor] = {}
    for index, attack in enumerate(attacks):

        def report_attack(done: float, index: int = index, label: str = attack.label) -> None:
            report((index + done) / len(attacks), label)

        right = right_under_attack(model, attacked, known, seed, attack, report_attack)
        survivors |= {(attack.label, eps): before * right[eps] for eps in attack.eps}
    return survivors
