"""A trial's model under audit: what it is attacked at goes through the quick budget too, as rows of the long table."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import Terms
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import Examples
from dropover.lab.records.rows import AUDIT, AUDITED, CHECK, Row
from dropover.lab.study import Study

_IMAGES = 100
"""Of a trial's attacked images those that are audited: seeds add to them, and more would take as long as training."""


@dataclass(frozen=True)
class Radius:
    """Where a study's audit of a norm is made.

    Attributes:
        norm: "linf" or "l2".
        eps: The ε, in the units of the study's attacks.
        pixels: The same in pixels; None where a unit has another length in each channel.
    """

    norm: str
    eps: float
    pixels: float | None


def radii(study: Study) -> Iterator[Radius]:
    """The one ε of each norm at which a study's models are audited.

    It is the middle one above 0 of those that all the norm's attacks have, or of all where they share none: that of the
    table's column of the worst case. Every arm has the same, so that audits are paired like all else.
    """
    by_norm: dict[str, tuple[Terms, list[set[float]]]] = {}
    for attack in study.evaluation.attacks:
        terms = ATTACKS.get(attack.name).terms(attack.settings)
        by_norm.setdefault(terms.norm, (terms, []))[1].append({eps for eps in attack.eps if eps > 0})
    for norm, (terms, eps) in by_norm.items():
        there = sorted(set.intersection(*eps) or set.union(*eps))
        if there:
            middle = there[(len(there) - 1) // 2]
            yield Radius(norm, middle, middle * terms.stds[0] if len(set(terms.stds)) == 1 else None)


def audit_rows(
    study: Study,
    model: nn.Module,
    examples: Examples,
    seed: int,
    report: Callable[[float, str], None],
    say: Callable[[str], None],
) -> list[Row]:
    """For each norm attacked the share that an audit leaves and of how many images; how each check came out.

    It is made of the first of the attacked images, with the layers' own rates at inference.

    Args:
        study: Says whether, on how many images, and what its attacks are.
        model: In evaluation mode.
        examples: The test images.
        seed: The trial's seed.
        report: Called with the share of this work that is done and what is done.
        say: Called with a line for each norm that can't be audited.
    """
    wanted = list(radii(study)) if study.evaluation.audit else []
    if not wanted:
        return []
    # Statistics and checks take a while to import, which trials without attacks are spared.
    from dropover.lab.auditing.audit import Asked, audited

    count = min(_IMAGES, study.evaluation.attack_images or _IMAGES, len(examples.labels))
    attacked = examples.chosen(balanced_prefix(examples.labels, count))
    rows: list[Row] = []
    for place, radius in enumerate(wanted):
        name = f"{AUDIT} {radius.norm}"
        report(place / len(wanted), name)
        if radius.pixels is None:
            say(f"No audit in {radius.norm}: it needs ε in pixels, or one std for all channels")
            continue
        found, _ = audited(model, attacked.images, attacked.labels, Asked(radius.pixels, radius.norm, seed=seed))
        rows.append(Row(AUDIT, radius.eps, found.accuracy, radius.norm))
        rows.append(Row(AUDITED, radius.eps, len(found.index), radius.norm))
        for check in found.checks:
            passed = math.nan if check.passed is None else float(check.passed)
            rows.append(Row(f"{CHECK}{check.name}", radius.eps, passed, radius.norm))
    return rows
