"""What a user's function measures, as a number."""

from typing import Any

import torch

from dropover.lab.study.names import label as checked_label


def as_number(name: str, value: Any) -> float:
    """A measured value as a float: a number, a tensor or an array of one element.

    Raises:
        ValueError: the name can't stand in a table, or the value is no number.
    """
    try:
        checked_label(name)
    except ValueError as error:
        raise ValueError(f"a measure's name {error}, got {name!r}") from None
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError):
        kind = f"{type(value).__name__} of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise ValueError(f"{name} must be a number, got {kind}") from None
