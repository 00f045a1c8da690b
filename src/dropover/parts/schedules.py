"""Rates that change while training goes on: functions of its progress, from 0 at the start to 1 at the end."""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass

from dropover import validation

__all__ = ["Cosine", "Linear", "Step"]

Schedule = Callable[[float], float]
Rate = float | Schedule


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in a straight line.

    Attributes:
        start: rate at progress 0, in [0, 1].
        end: rate at progress 1, in [0, 1].
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        _check_ends(self)

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return _between(self, progress)


@dataclass(frozen=True)
class Cosine:
    """From `start` to `end` along half a cosine: slow at both ends, steepest in the middle.

    Attributes:
        start: rate at progress 0, in [0, 1].
        end: rate at progress 1, in [0, 1].
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        _check_ends(self)

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return _between(self, (1 - math.cos(math.pi * progress)) / 2)


@dataclass(frozen=True)
class Step:
    """The first of `values` until the progress `at[0]`, from there on the second, and so on.

    Attributes:
        values: rates in [0, 1], one more than there are steps.
        at: where the steps are, increasing, each above 0 and below 1.
    """

    values: tuple[float, ...]
    at: tuple[float, ...]

    def __post_init__(self) -> None:
        values, at = _sequence("values", self.values), _sequence("at", self.at)
        validation.settle(
            self,
            values=tuple(validation.number(f"values[{i}]", value, 0, 1) for i, value in enumerate(values)),
            at=tuple(validation.number(f"at[{i}]", value, 0, 1) for i, value in enumerate(at)),
        )
        if not at or any(high <= low for low, high in zip((0, *self.at), (*self.at, 1), strict=True)):
            raise ValueError(f"at must be increasing numbers above 0 and below 1, at least one, got {at!r}")
        if len(self.values) != len(self.at) + 1:
            raise ValueError(f"values must hold one rate more than at has steps, {len(at) + 1}, got {len(values)}")

    def __call__(self, progress: float) -> float:
        """The rate at a progress in [0, 1]."""
        return self.values[bisect.bisect_right(self.at, progress)]


KNOWN = (Linear, Cosine, Step)


def check(name: str, p: object) -> Rate:
    """A rate or a schedule given as the argument called `name`; `TypeError` or `ValueError` if it is neither."""
    if isinstance(p, type):
        raise TypeError(f"{name} must be a number or a schedule such as Linear(0.0, 0.5), got the class {p.__name__}")
    return p if callable(p) else validation.number(name, p, 0, 1)


def bounds(p: Rate) -> tuple[float, float]:
    """The least and greatest rate; of a callable that isn't ours, the least and greatest that it may give."""
    if isinstance(p, Linear | Cosine):
        return (min(p.start, p.end), max(p.start, p.end))
    if isinstance(p, Step):
        return (min(p.values), max(p.values))
    return (0.0, 1.0) if callable(p) else (p, p)


def rate_at(p: Rate, progress: float) -> float:
    """The rate at a progress in [0, 1]; `TypeError` or `ValueError` if a schedule gives anything else."""
    return (
        validation.number(f"the rate that {p!r} gives at progress {progress!r}", p(progress), 0, 1)
        if callable(p)
        else p
    )


def _check_ends(schedule: Linear | Cosine) -> None:
    validation.settle(
        schedule,
        start=validation.number("start", schedule.start, 0, 1),
        end=validation.number("end", schedule.end, 0, 1),
    )


def _between(schedule: Linear | Cosine, weight: float) -> float:
    low, high = bounds(schedule)
    return min(max(schedule.start * (1 - weight) + schedule.end * weight, low), high)  # rounding might leave [0, 1]


def _sequence(name: str, value: object) -> tuple[object, ...]:
    if not isinstance(value, tuple | list):
        raise TypeError(f"{name} must be a tuple of numbers, got {value!r}")
    return tuple(value)
