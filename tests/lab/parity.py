"""Is our attack as strong as another's? An exact test on what each of the two fells, its false alarms and its power.

A unit is what has random numbers of its own: an image where an attack treats each alone, a batch where its images share
the draws. In each unit the two attacks are paired, and the difference d is how many images the other fells beyond
ours. If ours is as strong, the two could be exchanged, and every d might as well be -d: the sum of all has the exact
distribution of Σ ±|d|. Where units are images this is McNemar's test, one-sided. An attack of ours that is stronger
raises fewer alarms still.

No result depends on a processor's rounding: rounding only decides which draw of the nets and the searches one sees.
"""

import math
from collections.abc import Sequence

import numpy as np

FALSE_ALARM = 5e-5
"""How often the comparisons together may accuse attacks that are as strong as the others: half of the suite's share.

The whole suite is to fail by chance less than once in 10,000 runs. The other half is for the statistics of masks and
densities: some forty families of comparisons, each with the limit of one in a million (`limit` in the conftests).
"""

COMPARISONS = 17
"""How many there are in the suite, all of them in test_attack_oracles."""

FORGIVEN = 0.01
"""The share of what the other fells that ours may leave standing: two codes of one paper differ by as much."""

WEAKER = 0.05
"""The weakness that must be found: ours fells so much less of the images that the other fells."""


def chance(differences: Sequence[int], forgiven: int = 0) -> float:
    """How often random signs of the differences would add up to at least as much: the exact one-sided p-value.

    Args:
        differences: For each unit, how many images the other attack fells beyond ours.
        forgiven: So many images are taken off what they add up to.
    """
    sizes = [abs(difference) for difference in differences if difference]
    most = sum(sizes)
    shares = np.zeros(2 * most + 1)  # of the sums from -most to most
    shares[most] = 1.0
    for size in sizes:
        shares = (np.roll(shares, size) + np.roll(shares, -size)) / 2  # nothing goes round: the ends are empty so far
    return float(shares[max(most + sum(differences) - forgiven, 0) :].sum())


def is_weaker(fells: Sequence[bool], others: Sequence[bool], unit: int = 1) -> bool:
    """Whether ours is accused, at the level that leaves `COMPARISONS` of them `FALSE_ALARM` together (Bonferroni).

    Args:
        fells: Which images ours fells.
        others: Which of them the other fells.
        unit: How many images, in their order, share random numbers.
    """
    forgiven = math.floor(FORGIVEN * sum(others))
    return chance(differences(fells, others, unit), forgiven) < FALSE_ALARM / COMPARISONS


def weakened(fells: Sequence[bool], others: Sequence[bool]) -> list[bool]:
    """What an attack that is `WEAKER` than ours fells: of the images that both fell, an even choice is lost.

    Args:
        fells: Which images ours fells.
        others: Which of them the other fells; as many are lost as are `WEAKER` of these.
    """
    both = [index for index, (own, other) in enumerate(zip(fells, others, strict=True)) if own and other]
    count = math.ceil(WEAKER * sum(others))
    lost = {both[place * len(both) // count] for place in range(count)}
    return [fell and index not in lost for index, fell in enumerate(fells)]


def differences(fells: Sequence[bool], others: Sequence[bool], unit: int = 1) -> list[int]:
    """For units of so many images, in their order, how many the other fells beyond ours."""
    single = [int(other) - int(own) for own, other in zip(fells, others, strict=True)]
    return [sum(single[start : start + unit]) for start in range(0, len(single), unit)]
