"""Rates that change while training goes on: functions of its progress, from 0 at the start to 1 at the end."""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass

from dropover import validation

__all__ = ["CosineSchedule", "LinearSchedule", "StepSchedule"]

Schedule = Callable[[float], float]
Rate = float | Schedule


@dataclass(frozen=True)
class _Way:
    start: float
    end: float

    def __post_init__(self) -> None:
        validation.settle_numbers(self, start=(0, 1), end=(0, 1))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return min(self.start, self.end), max(self.start, self.end)

    def _at(self, share: float) -> float:
        """The rate after a share of the way; rounding might leave the bounds."""
        low, high = self.bounds
        return min(max(self.start * (1 - share) + self.end * share, low), high)


class LinearSchedule(_Way):
    """From the rate `start` at progress 0 to the rate `end` at 1, both in [0, 1], in a straight line."""

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return self._at(progress)


class CosineSchedule(_Way):
    """From the rate `start` to the rate `end`, both in [0, 1], along half a cosine: steepest in the middle."""

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return self._at((1 - math.cos(math.pi * progress)) / 2)


@dataclass(frozen=True)
class StepSchedule:
    """The first of `values`, rates in [0, 1], until the progress `at[0]`, from there on the second, and so on.

    There is one value more than steps, which are increasing, each above 0 and below 1.
    """

    values: tuple[float, ...]
    at: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("values", "at"):
            given = getattr(self, name)
            if not isinstance(given, tuple | list):
                raise TypeError(f"{name} must be a tuple of numbers, got {given!r}")
            numbers = [validation.number(f"{name}[{i}]", value, 0, 1) for i, value in enumerate(given)]
            validation.settle(self, **{name: tuple(numbers)})
        if not self.at or any(high <= low for low, high in zip((0, *self.at), (*self.at, 1), strict=True)):
            raise ValueError(f"at must be increasing numbers above 0 and below 1, at least one, got {self.at!r}")
        if len(self.values) != len(self.at) + 1:
            raise ValueError(
                f"values must hold one rate more than at has steps, {len(self.at) + 1}, got {len(self.values)}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return min(self.values), max(self.values)

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return self.values[bisect.bisect_right(self.at, progress)]


def check(name: str, p: object) -> Rate:
    """A rate or a schedule given as the argument called `name`; `TypeError` or `ValueError` if it is neither."""
    if isinstance(p, type):
        raise TypeError(
            f"{name} must be a number or a schedule such as LinearSchedule(0.0, 0.5), got the class {p.__name__}"
        )
    return p if callable(p) else validation.number(name, p, 0, 1)


def bounds(p: Rate) -> tuple[float, float]:
    """The least and greatest rate; of a callable that isn't ours, the least and greatest that it may give."""
    if isinstance(p, (_Way, StepSchedule)):
        return p.bounds
    return (0.0, 1.0) if callable(p) else (p, p)


def rate_at(p: Rate, progress: float) -> float:
    """The rate at a progress in [0, 1]; `TypeError` or `ValueError` if a schedule gives anything else."""
    if not callable(p):
        return p
    return validation.number(f"the rate that {p!r} gives at progress {progress!r}", p(progress), 0, 1)
