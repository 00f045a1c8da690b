"""The long table's unit: one measured value."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Row:
    """One measured value. `level` is an epoch, a noise level, an ε or a rate; None where there is only one value."""

    measure: str
    level: float | None
    value: float


def share(right: Tensor) -> float:
    """The share of true values; NaN for the share of nothing."""
    return float(right.double().mean())
