"""A trained model's rows under noise and under attack."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import CleanPass, inference_is_random
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.measuring.evaluation import right_under_attack, right_under_noise
from dropover.lab.models.parts.inference import inference_rate
from dropover.lab.records.rows import Row, share
from dropover.lab.streams import INFERENCE, seeded
from dropover.lab.study import AttackSettings, Study

WORST = {"linf": "worst", "l2": "worst l2"}
"""The measure that is the worst case over all attacks of a norm."""

PER_SECOND = "attacked_per_second"
OF_CORRECT, AT_INFERENCE = " (of correct)", " at inference"


def norm_of(settings: AttackSettings) -> str:
    """The norm that an attack of a study is held to."""
    return ATTACKS.get(settings.name).terms(settings.settings).norm


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
    asked = study.evaluation
    wanted = [(name, level) for name, levels in asked.noise.items() for level in levels]
    rows = []
    for index, (name, level) in enumerate(wanted):
        report(index / len(wanted))
        right = right_under_noise(model, examples, seed, name, level, clip=asked.clip_noise)
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
    arm of no regulariser, has no such rows.

    Args:
        study: Says which attacks, on how many images, at which rates.
        model: In evaluation mode.
        examples: The test images.
        clean: The model's logits on them, of shape (N, classes).
        seed: The trial's seed.
        report: Called with the share of this work that is done and the attack's label.
    """
    asked = study.evaluation
    chosen = balanced_prefix(examples.labels, asked.attack_images or len(examples.labels))
    attacked = Examples(examples.images[chosen], examples.labels[chosen], examples.batch_size)
    rates = asked.inference_rates if any(True for _ in regularizers(model)) else []
    parts = 1 + len(rates)

    def reporting(part: int) -> Callable[[float, str], None]:
        return lambda done, label: report((part + done) / parts, label)

    started = time.perf_counter()
    before, kept = _kept(study, model, attacked, clean[chosen], seed, reporting(0))
    rows = [Row(PER_SECOND, None, len(kept) * len(before) / (time.perf_counter() - started))] if kept else []
    worst: dict[str, dict[float, Tensor]] = {}
    for settings in asked.attacks:
        own = worst.setdefault(norm_of(settings), {})
        for eps in settings.eps:
            still = kept[settings.label, eps]
            own[eps] = torch.minimum(own.get(eps, before.double()), still)
            rows.append(Row(settings.label, eps, share(still)))
            rows.append(Row(settings.label + OF_CORRECT, eps, share(still[before])))
    for norm, found in worst.items():
        rows += [Row(WORST[norm], eps, share(still)) for eps, still in sorted(found.items())]
    for part, rate in enumerate(rates, start=1):
        with inference_rate(model, rate):
            logits = logits_on(model, examples, seed)
            rows.append(Row(f"clean{AT_INFERENCE}", rate, share(logits.argmax(1) == examples.labels)))
            _, kept = _kept(study, model, attacked, logits[chosen], seed, reporting(part))
        rows += [Row(f"{label} {eps:g}{AT_INFERENCE}", rate, share(still)) for (label, eps), still in kept.items()]
    return rows


def _kept(
    study: Study,
    model: nn.Module,
    attacked: Examples,
    logits: Tensor,
    seed: int,
    report: Callable[[float, str], None],
) -> tuple[Tensor, dict[tuple[str, float], Tensor]]:
    """Which images are right before (bool, N), and how far each still is, per attack and ε (N, in [0, 1])."""
    attacks = study.evaluation.attacks
    before = logits.argmax(1) == attacked.labels
    if not attacks:
        return before, {}
    with seeded(seed, INFERENCE):
        known = CleanPass(logits, inference_is_random(model, pixels(attacked.images[: attacked.batch_size])))
    kept: dict[tuple[str, float], Tensor] = {}
    for index, settings in enumerate(attacks):

        def done(part: float, index: int = index, label: str = settings.label) -> None:
            report((index + part) / len(attacks), label)

        found = right_under_attack(model, attacked, known, seed, settings, done)
        kept |= {(settings.label, eps): before * found[eps] for eps in settings.eps}
    return before, kept
