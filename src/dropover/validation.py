"""Checks of what a user passes in. Each error names the argument, the value and what is allowed."""

import math
from collections.abc import Iterable
from numbers import Integral, Real


def number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a float within [low, high]; `TypeError` if it is no number, `ValueError` if it is outside."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    result = float(value)
    if not low <= result <= high or math.isinf(result):
        raise ValueError(f"{name} must be {_interval(low, high)}, got {value!r}")
    return result


def whole(name: str, value: object, low: int) -> int:
    """`value` as an int of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return int(value)


def settle(record: object, **values: object) -> None:
    """Set checked values on a frozen record under construction: plain numbers, which its repr can show."""
    for name, value in values.items():
        object.__setattr__(record, name, value)


def settle_numbers(record: object, **ranges: tuple[float, ...]) -> None:
    """`settle` with the record's own numbers, each checked to lie in its range (least and greatest, if any)."""
    settle(record, **{name: number(name, getattr(record, name), *limits) for name, limits in ranges.items()})


def choice(name: str, value: object, allowed: Iterable[object]) -> None:
    """`value` must be one of `allowed`."""
    options = list(allowed)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def _interval(low: float, high: float) -> str:
    if math.isinf(high):
        return "a finite number" + ("" if math.isinf(low) else f" of at least {low:g}")
    return f"in [{low:g}, {high:g}]"
