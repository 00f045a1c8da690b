"""A measure: which way is better, on what scale it is judged, within which margin arms are level; and its words.

Images are scored by shares, all alike. What the user's function returns is read as the study says, and what it doesn't
say follows from the measure's name.
"""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from statistics import fmean, median, stdev

import pandas as pd

from dropover.lab.judging.deciding import Values
from dropover.lab.judging.scales import ScaleName
from dropover.lab.records.labels import AT_INFERENCE, AUDIT, AUDITED, OF_CORRECT, WORST
from dropover.lab.records.rows import ATTACKED, CLEAN, PER_SECOND, Row
from dropover.lab.records.trials import TrialKey
from dropover.lab.study import MeasureSettings, Study

__all__ = ["Measure", "first_figure", "fitted", "logged", "measure_of", "returned"]

MARGIN = 0.01
"""Of the reference's mean: the margin of what isn't a share, where the study gives none."""
SPEEDS = ("seconds", "images_per_second", PER_SECOND, ATTACKED)
"""What is measured beside, and not judged."""
SHARES = {
    "acc", "accuracy", "ap", "auc", "auprc", "auroc", "dice", "f1", "iou", "map", "miou", "precision", "recall",
    "sensitivity", "share", "specificity",
}  # fmt: skip
LOSSES = {
    "bce", "brier", "ce", "cer", "ece", "err", "error", "mae", "mape", "mse", "nll", "perplexity", "ppl", "rmse", "wer",
}  # fmt: skip
"""And what ends with "loss", or has a cross-entropy in it."""
DIGITS = 4
"""How many digits of a figure are shown where nothing is known of its spread."""


@dataclass(frozen=True)
class Measure:
    """How the values of one measure are read, and what they are called.

    Attributes:
        name: Its label.
        higher_is_better: Whether more is better, as of an accuracy, or less, as of a loss.
        scale: What it is judged as: a share, a loss, or plain numbers.
        margin: The difference within which two arms are level, in its own units; None where it is to be taken from the
            reference's values.
        of_images: Whether it is a share of images that are right: clean, under noise or under attack.
        decimals: How many its figures have; None for `DIGITS` digits. Shares are in percent, with one.
        note: What is to be known of the scale or the margin.
    """

    name: str
    higher_is_better: bool = True
    scale: ScaleName = "share"
    margin: float | None = None
    of_images: bool = False
    decimals: int | None = None
    note: str = ""

    @property
    def direction(self) -> str:
        """Which way is better, in words."""
        return "higher is better" if self.higher_is_better else "lower is better"

    @property
    def within(self) -> str:
        """The margin, in words: `0.5 points`."""
        if self.margin is None:
            return f"{100 * MARGIN:g} % of the reference's mean"
        return f"{100 * self.margin:g} points" if self.scale == "share" else f"{self.margin:g}"

    def figure(self, value: float) -> str:
        """A value or a spread as a table has it, shares in percent: `97.8`."""
        return f"{100 * value:.1f}" if self.scale == "share" else _typed(self._number(value))

    def value(self, value: float) -> str:
        """A value with its unit: `97.8 %`."""
        return f"{self.figure(value)}{' %' * (self.scale == 'share')}"

    def difference(self, difference: float) -> str:
        """A difference with its sign, of shares in percentage points: `+0.4`."""
        text = f"{100 * difference:+.1f}" if self.scale == "share" else self._number(difference, "+")
        return text.lstrip("+-") if float(text) == 0 else _typed(text)

    def amount(self, difference: float) -> str:
        """A difference without its sign, with its unit: `1.8 points`."""
        if self.scale == "share":
            return f"{abs(100 * difference):.1f} points"
        return self._number(abs(difference))

    def size(self, difference: float) -> str:
        """How large a difference is that there is: `1.8 points`, or `less than 0.1 points`."""
        text, decimals = self.amount(difference), 3 if self.scale == "share" else self.decimals
        if decimals is None or float(text.partition(" ")[0]) > 0:
            return text
        return f"less than {self.amount(10.0**-decimals)}"

    def distance(self, difference: float) -> str:
        """How far a value is from another, which is named next: `+0.4 points over`."""
        text = self.difference(difference)
        unit = " points" if self.scale == "share" else ""
        if text[0] not in "+−":
            return f"{text}{unit} from"
        return f"{text}{unit} over" if difference > 0 else f"{text.removeprefix('−')}{unit} under"

    def gain(self, difference: float | None) -> float:
        """A difference counted so that more is better; 0 where there is none."""
        return (difference or 0.0) * (1 if self.higher_is_better else -1)

    def settled(self, value: float) -> float:
        """A value without the last digits, which may be rounding."""
        return round(value, 9) if self.scale == "share" else float(f"{value:.9g}")

    def _number(self, value: float, sign: str = "") -> str:
        if self.decimals is None:
            return f"{value:{sign}.{DIGITS}g}"
        text = f"{value:{sign}.{self.decimals}f}"
        return text.replace("-", "") if float(text) == 0 else text


def measure_of(study: Study, label: str) -> Measure:
    """How a study's measure is read before there are values: as the study says, and else as its name says."""
    if study.trial is None or label in _of_images(study):
        return Measure(label, margin=study.margin / 100, of_images=True)
    said = study.measures.get(label, MeasureSettings())
    words = re.split(r"[^a-z0-9]+", label.lower())
    whole = "".join(words)
    lower = not LOSSES.isdisjoint(words) or "crossentropy" in whole or any(word.endswith("loss") for word in words)
    by_name: ScaleName = "loss" if lower else "plain" if SHARES.isdisjoint(words) else "share"
    scale = said.scale or by_name
    higher = said.higher_is_better if said.higher_is_better is not None else not lower and scale != "loss"
    margin = study.margin / 100 if said.margin is None and scale == "share" else said.margin
    return Measure(label, higher, scale, margin)


def fitted(study: Study, label: str, values: Values, first: Collection[int] | None = None) -> Measure:
    """How a study's measure is read in the light of its values.

    A share that is not in [0, 1], or a loss that is not above 0, is judged plainly. A margin that nobody gave is a
    part of the reference's mean. There are as many decimals as the spread over seeds leaves a meaning.

    Args:
        study: The study.
        label: The measure's label.
        values: Its value of every arm and seed.
        first: The seeds that the margin is taken from, all if None: of a study that grows it must not move.
    """
    measure = measure_of(study, label)
    if measure.of_images:
        return measure
    there = [[value for value in row.values() if math.isfinite(value)] for row in values.values()]
    notes, limits = [], [limit for row in there if row for limit in (min(row), max(row))]
    if measure.scale == "share" and limits and not (min(limits) >= 0 and max(limits) <= 1):
        own = study.measures.get(label)
        measure = replace(measure, scale="plain", margin=own.margin if own else None)
        notes.append("not all values are from 0 to 1, so they are no shares and judged as they are")
    elif measure.scale == "loss" and limits and min(limits) <= 0:
        measure = replace(measure, scale="plain")
        notes.append("not all values are above 0, so they have no logarithms and are judged as they are")
    if measure.scale == "share":
        return measure
    base = [
        value
        for seed, value in values.get(study.reference, {}).items()
        if math.isfinite(value) and (first is None or seed in first)
    ]
    if measure.margin is None and base:
        # In two digits, so that it is what is said of it.
        measure = replace(measure, margin=float(f"{MARGIN * abs(fmean(base)):.2g}"))
        notes.insert(0, f"{100 * MARGIN:g} % of {study.reference}'s mean")
    return replace(measure, decimals=_decimals([row for row in there if row]), note="; ".join(notes))


def returned(table: pd.DataFrame, study: Study) -> list[str]:
    """What the user's function has returned, by its names in order, of a table by labels; none of a study of images."""
    if study.trial is None:
        return []
    others = {*SPEEDS, *_of_images(study)}
    return [name for name in _labels(table[table["level"].isna()]) if name not in others]


def logged(table: pd.DataFrame, study: Study) -> list[str]:
    """What the user's function has logged by steps, of a table by labels; none of a study of images."""
    if study.trial is None:
        return []
    others = _of_images(study)
    names = [name for name in _labels(table[table["level"].notna()]) if not name.endswith((OF_CORRECT, AT_INFERENCE))]
    checks = tuple(f"{audit}: " for audit in AUDIT.values())
    return [name for name in names if name not in others and not name.startswith(checks)]


def first_figure(study: Study, trial: TrialKey, rows: Iterable[Row]) -> str:
    """What a trial came to, by the first measure that it has: `clean 97.1 %`; empty if it has none."""
    for row in rows:
        if row.level is None and row.inference_rate is None and row.measure not in SPEEDS:
            reading = fitted(study, row.measure, {trial.arm.label: {trial.seed: row.value}})
            return f"{row.measure} {reading.value(row.value)}"
    return ""


def _of_images(study: Study) -> set[str]:
    """The labels of what is scored by images."""
    attacks = (attack.label for attack in study.evaluation.attacks)
    return {CLEAN, *WORST.values(), *AUDIT.values(), *AUDITED.values(), *study.evaluation.noise, *attacks}


def _labels(table: pd.DataFrame) -> Iterable[str]:
    return dict.fromkeys(table["measure"])


def _decimals(rows: list[list[float]]) -> int | None:
    """Two digits of the usual spread, but of the largest mean at least three and at most six; None if out of reach."""
    largest = max((abs(fmean(row)) for row in rows), default=0.0)
    if not 1e-4 <= largest < 1e6:
        return None
    leading = math.floor(math.log10(largest))
    spreads = [spread for row in rows if len(row) > 1 and (spread := stdev(row)) > 0]
    wanted = 1 - math.floor(math.log10(median(spreads))) if spreads else DIGITS - 1 - leading
    return max(0, min(max(wanted, 2 - leading), 5 - leading))


def _typed(text: str) -> str:
    """With a minus sign in front, and not a hyphen."""
    return f"−{text[1:]}" if text.startswith("-") else text
