"""A trained model's rows under noise and under attack."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import Known, inference_is_random
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.measuring.evaluation import right_under_attack, right_under_noise
from dropover.lab.models.parts.inference import inference_rate
from dropover.lab.records.rows import CLEAN, CORRECT, PER_SECOND, WORST, Row, share
from dropover.lab.streams import INFERENCE, seeded
from dropover.lab.study import AttackSettings, Study


def norm_of(attack: AttackSettings) -> str:
    """The norm that an attack of a study is held to."""
    return ATTACKS.get(attack.name).terms(attack.settings).norm


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
    attacked = Examples(examples.images[chosen], examples.labels[chosen], examples.batch_size)
    rates = study.evaluation.inference_rates if any(True for _ in regularizers(model)) else []

    def survival(part: int, logits: Tensor) -> dict[tuple[str, float], Tensor]:
        def report_part(done: float, label: str) -> None:
            report((part + done) / (1 + len(rates)), label)

        return _survival(attacks, model, attacked, logits[chosen], seed, report_part)

    started = time.perf_counter()
    survivors = survival(0, clean)
    before = clean[chosen].argmax(1) == attacked.labels
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
    before = logits.argmax(1) == attacked.labels
    with seeded(seed, INFERENCE):
        known = Known(logits, inference_is_random(model, pixels(attacked.images[: attacked.batch_size])))
    survivors: dict[tuple[str, float], Tensor] = {}
    for index, attack in enumerate(attacks):

        def report_attack(done: float, index: int = index, label: str = attack.label) -> None:
            report((index + done) / len(attacks), label)

        right = right_under_attack(model, attacked, known, seed, attack, report_attack)
        survivors |= {(attack.label, eps): before * right[eps] for eps in attack.eps}
    return survivors
