"""What audits say of figures under attack: which are supported, which are upper bounds only, and which are broken."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from dropover.lab.auditing.verdict import BROKEN, SUPPORTED, UPPER_BOUND, VerdictName, interval_of
from dropover.lab.judging.comparison import attacks_in, values_at
from dropover.lab.records.labels import AUDIT, AUDITED, WORST
from dropover.lab.study import Study

MARKS: dict[VerdictName, str] = {SUPPORTED: "✓", UPPER_BOUND: "≤", BROKEN: "✗"}
"""What a verdict is in a table's cell, from the best to the worst."""
LEGEND = (
    "Audit of figures under attack: ✓ supported, ≤ upper bound only (a check failed), ✗ broken (above the 95 % "
    "interval of what the audit leaves); of several seeds the worst."
)
_KINDS = ("failed", "could not be made")
COLUMNS = (
    "arm",
    "seed",
    "norm",
    "level",
    "images",
    "accuracy",
    "low",
    "high",
    "worst",
    "verdict",
    "failed",
    "not_made",
)


@dataclass(frozen=True)
class TrialAudit:
    """The audit of one trial's model at one ε of one norm.

    Attributes:
        accuracy: The share of the audited images that nothing has felled.
        images: How many there were.
        failed: The checks that failed.
        not_made: Those that could not be made.
    """

    accuracy: float
    images: int
    failed: tuple[str, ...]
    not_made: tuple[str, ...]

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the accuracy."""
        return interval_of(round(self.accuracy * self.images), self.images)

    def verdict(self, claim: float) -> VerdictName:
        """The verdict on a figure that was measured of the same model."""
        if claim > self.interval[1]:
            return BROKEN
        return UPPER_BOUND if self.failed or self.not_made else SUPPORTED


@dataclass(frozen=True)
class Soundness:
    """An arm's figure under attack before the audits of its seeds.

    Attributes:
        norm: The attack's.
        level: Its ε.
        audits: Each seed's.
        verdicts: On each seed's value.
    """

    norm: str
    level: float
    audits: Mapping[int, TrialAudit]
    verdicts: Mapping[int, VerdictName]

    @property
    def verdict(self) -> VerdictName:
        """The worst of its seeds'."""
        return max(self.verdicts.values(), key=list(MARKS).index)

    @property
    def mark(self) -> str:
        """The verdict's mark in a table."""
        return MARKS[self.verdict]

    @property
    def accuracy(self) -> float:
        """What the audits leave, the mean over seeds."""
        return math.fsum(each.accuracy for each in self.audits.values()) / len(self.audits)

    @property
    def grounds(self) -> str:
        """Which checks failed or could not be made, in how many seeds; empty if none."""
        kinds = ([each.failed for each in self.audits.values()], [each.not_made for each in self.audits.values()])
        return "; ".join(
            f"{', '.join(names)} {what}" for names, what in zip(map(self._counted, kinds), _KINDS, strict=True) if names
        )

    @property
    def doubt(self) -> str:
        """Why the figure can't be relied on; empty if it can."""
        if self.verdict == BROKEN:
            return f"other attacks leave only {100 * self.accuracy:.1f} %"
        return f"the audit calls its figure an upper bound only ({self.grounds})" if self.verdict == UPPER_BOUND else ""

    def said(self, arm: str) -> str:
        """The audit in a few words, such as `fdd1d ≤ 12.0 % (order failed in 2 of 3 seeds)`."""
        return f"{arm} {self.mark} {100 * self.accuracy:.1f} %{f' ({self.grounds})' if self.grounds else ''}"

    def _counted(self, of_seeds: list[tuple[str, ...]]) -> list[str]:
        count = len(self.audits)
        names = dict.fromkeys(name for names in of_seeds for name in names)
        times = {name: sum(name in names for names in of_seeds) for name in names}
        return [f"{name}{f' ({times[name]} of {count} seeds)' if count > 1 else ''}" for name in names]


def soundness(table: pd.DataFrame, study: Study, label: str, level: float | None) -> dict[str, Soundness]:
    """Of every arm audited there: its figure at an attack, worst case or audit, and ε; of a table by labels."""
    norm = next(
        (
            norm
            for norm in WORST
            if label in (WORST[norm], AUDIT[norm], *(each.label for each in attacks_in(study, norm)))
        ),
        "",
    )
    if not norm or level is None:
        return {}
    values, audits = values_at(table, study, label, level), trial_audits(table, study, norm, level)
    found = {}
    for arm, by_seed in audits.items():
        there = {seed: audit for seed, audit in by_seed.items() if seed in values[arm]}
        if there:
            verdicts = {seed: audit.verdict(values[arm][seed]) for seed, audit in there.items()}
            found[arm] = Soundness(norm, level, there, verdicts)
    return found


def trial_audits(table: pd.DataFrame, study: Study, norm: str, level: float) -> dict[str, dict[int, TrialAudit]]:
    """The audits of every arm, by seed; of a table by labels."""
    start = f"{AUDIT[norm]}: "
    here = table[table["level"] == level]
    checks = [name for name in dict.fromkeys(here["measure"]) if name.startswith(start)]
    outcomes = {name.removeprefix(start): values_at(here, study, name, level) for name in checks}
    images = values_at(here, study, AUDITED[norm], level)
    return {
        arm: {
            seed: TrialAudit(
                accuracy,
                int(images[arm][seed]),
                tuple(name for name, values in outcomes.items() if values[arm].get(seed) == 0),
                tuple(name for name, values in outcomes.items() if math.isnan(values[arm].get(seed, 1.0))),
            )
            for seed, accuracy in by_seed.items()
        }
        for arm, by_seed in values_at(here, study, AUDIT[norm], level).items()
    }


def audit_places(table: pd.DataFrame) -> list[tuple[str, float]]:
    """The norm and ε of every audit that a table by labels holds."""
    return [
        (norm, float(level))
        for norm, label in AUDIT.items()
        for level in sorted(set(table.loc[table["measure"] == label, "level"]))
    ]


def audit_table(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Every trial's audit, of a table by labels: what is left, its 95 % interval, and the verdict on its worst case."""
    numbers = dict.fromkeys(("level", "accuracy", "low", "high", "worst"), "float64")
    types = {**numbers, "seed": "int64", "images": "int64"}
    return pd.DataFrame(list(_rows(table, study)), columns=list(COLUMNS)).astype(types)


def _rows(table: pd.DataFrame, study: Study) -> Iterator[tuple[object, ...]]:
    for norm, level in audit_places(table):
        worst = values_at(table, study, WORST[norm], level)
        for arm, by_seed in trial_audits(table, study, norm, level).items():
            for seed, audit in by_seed.items():
                claim = worst[arm][seed]
                unsound = "; ".join(audit.failed), "; ".join(audit.not_made)
                told = (audit.images, audit.accuracy, *audit.interval, claim, audit.verdict(claim), *unsound)
                yield (arm, seed, norm, level, *told)
