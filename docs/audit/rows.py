"""A row of the panel's table: what is true of a net, what others would say of it, and what the audit says."""

import time
from dataclasses import dataclass

import torch
from autoattack_flags import flags
from panel_nets import ENTRIES, IMAGES, Entry, load
from torch import Tensor, nn
from training import data, trained

from dropover import lab
from dropover.lab.auditing.budgets import BudgetName
from dropover.lab.data.parts.loading import balanced_prefix


@dataclass(frozen=True)
class Seen:
    """What one seed's net has shown; shares of images, None where the attack has no gradient to follow."""

    true: float
    fgsm: float | None
    pgd: float | None
    flags: tuple[str, ...]
    figure: float
    verdict: str
    failed: tuple[str, ...]
    seconds: float


def seen(name: str, seed: int, budget: BudgetName) -> Seen:
    """Attack, flag and audit the net of that name and seed."""
    torch.set_num_threads(1)
    entry = ENTRIES[name]
    index = balanced_prefix(data().test_labels, IMAGES)
    x, y = data().test_images[index] / 255, data().test_labels[index]
    net, eps = load(name, seed)
    began = time.perf_counter()
    audit = lab.audit(net, x, y, eps=eps, budget=budget, seed=seed)
    seconds = time.perf_counter() - began
    return Seen(
        _true(entry, seed, x, y),
        _claimed(net, x, y, eps, "fgsm"),
        _claimed(net, x, y, eps, "pgd"),
        tuple(flags(load(name, seed)[0], x, y, eps)),
        audit.accuracy,
        audit.verdict,
        tuple(check.name for check in audit.checks if not check.passed),
        seconds,
    )


def _claimed(net: nn.Module, x: Tensor, y: Tensor, eps: float, attack: str) -> float | None:
    """What a plain attack on the cross-entropy leaves, as it is usually reported."""
    try:
        return lab.attack(net, x, y, eps, attack).accuracy[eps]
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return None


def _true(entry: Entry, seed: int, x: Tensor, y: Tensor) -> float:
    """Of the net without what is around it: the worst case over two APGDs, either loss."""
    net = entry.inside(*(trained(base, seed) for base in entry.bases))
    stands = torch.ones(len(y), dtype=torch.bool)
    for attack in ("apgd", "apgd-dlr"):
        if stands.any():
            stands[stands.clone()] = lab.attack(net, x[stands], y[stands], entry.eps, attack, steps=50).right[0]
    return float(stands.double().mean())
