"""What matters: how well a figure can be told from the method alone, with the place too, and with the settings as well.

Each arm's figure is told from the other arms' (leave-one-out), so that chance explains nothing: a share of the variance
that a factor adds is one that it predicts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

Chosen = Mapping[str, object]
FEW = 8
"""Of fewer arms nothing is said."""
_REACH = 0.1
"""How near, as a share of the range that was tried, settings are alike."""


@dataclass(frozen=True)
class Importance:
    """Shares of a figure's variance between arms, that add up to 1: of each factor, and what none of them tells."""

    method: float
    place: float
    settings: float
    rest: float


@dataclass(frozen=True)
class _Tried:
    method: str
    place: str
    settings: tuple[tuple[str, object], ...]
    value: float


def importance(chosen: Mapping[str, Chosen], values: Mapping[str, float]) -> Importance | None:
    """What a figure hangs on.

    Args:
        chosen: What was chosen for each arm: "method", "METHOD.at", and its settings.
        values: Each arm's figure.

    Returns:
        The shares; None where too few arms were tried, or all have one figure.
    """
    arms = [_tried(chosen[label], value) for label, value in values.items() if label in chosen]
    if len(arms) < FEW:
        return None
    middle = fmean(arm.value for arm in arms)
    # As far from the mean of the others as what is told from others is.
    spread = sum((arm.value - middle) ** 2 for arm in arms) * (len(arms) / (len(arms) - 1)) ** 2
    if spread <= 1e-18:
        return None
    ranges = _ranges(arms)
    likenesses: list[Callable[[_Tried, _Tried], float]] = [
        lambda a, b: float(a.method == b.method),
        lambda a, b: float((a.method, a.place) == (b.method, b.place)),
        lambda a, b: _likeness(a, b, ranges),
    ]
    told, best = [], 0.0
    guesses = [fmean(other.value for other in arms if other is not arm) for arm in arms]
    for likeness in likenesses:
        guesses = [_guess(arm, arms, guess, likeness) for arm, guess in zip(arms, guesses, strict=True)]
        error = sum((arm.value - guess) ** 2 for arm, guess in zip(arms, guesses, strict=True))
        share = max(best, 1 - error / spread)
        told.append(share - best)
        best = share
    method, place, settings = told
    return Importance(method, place, settings, 1 - best)


def _tried(chosen: Chosen, value: float) -> _Tried:
    method = str(chosen["method"])
    settings = tuple((key, each) for key, each in chosen.items() if key not in ("method", f"{method}.at"))
    return _Tried(method, str(chosen.get(f"{method}.at", "")), settings, value)


def _guess(arm: _Tried, arms: Sequence[_Tried], coarser: float, likeness: Callable[[_Tried, _Tried], float]) -> float:
    """The mean of the others that are alike, and the coarser guess as one more of them."""
    weights = [0.0 if other is arm else likeness(arm, other) for other in arms]
    told = sum(weight * other.value for weight, other in zip(weights, arms, strict=True))
    return (told + coarser) / (sum(weights) + 1)


def _likeness(a: _Tried, b: _Tried, ranges: Mapping[str, tuple[float, float]]) -> float:
    """1 where the settings are the same, near 0 where they are far; 0 at another place."""
    if (a.method, a.place) != (b.method, b.place):
        return 0.0
    there, away = dict(b.settings), 0.0
    for key, value in a.settings:
        other = there.get(key)
        if key in ranges and _is_number(value) and _is_number(other):
            low, high = ranges[key]
            away += ((float(str(value)) - float(str(other))) / (high - low)) ** 2
        elif value != other:
            away += 1.0
    return math.exp(-away / (2 * _REACH**2))


def _ranges(arms: Sequence[_Tried]) -> dict[str, tuple[float, float]]:
    """From where to where each number was tried, where that is more than one."""
    numbers: dict[str, list[float]] = {}
    for arm in arms:
        for key, value in arm.settings:
            if _is_number(value):
                numbers.setdefault(key, []).append(float(str(value)))
    return {key: (min(row), max(row)) for key, row in numbers.items() if max(row) > min(row)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
