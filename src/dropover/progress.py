"""Scheduled rates move on with training."""

from torch import nn

from dropover import validation
from dropover.insertion.layers import regularizers


def advance(model: nn.Module, fraction: float) -> None:
    """Tell every scheduled rate of a model how far training is; each takes its value there, in both modes.

    The rates stay until the next call. A checkpoint of the model keeps the progress of its own layers, a plan's JSON
    that of inserted ones. Not between a compiled forward pass and its backward pass, which needs the old rate and
    would be an error.

    Args:
        model: any module, compiled or not; layers in it and inserted ones are found.
        fraction: the share of training that is done, in [0, 1]; such as `step / steps` before each step's forward pass.

    Raises:
        TypeError: a `fraction` that is no number, or a schedule that gives none.
        ValueError: a `fraction` outside [0, 1], a schedule that gives a rate outside [0, 1], or a model without
            scheduled rates. Nothing is changed then.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 8), Dropout(p=LinearSchedule(0.0, 0.5)))
        >>> advance(model, 0.5)  # the rate is 0.25 now
    """
    fraction = validation.number("fraction", fraction, 0, 1)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    layers = [layer for layer in regularizers(model) if layer.scheduled]
    if not layers:
        raise ValueError(
            "model has no scheduled rate, so that advance would have no effect: give a layer a schedule, such as "
            "Dropout(p=LinearSchedule(0.0, 0.5))"
        )
    for layer in layers:
        layer.rates_at(fraction)  # all are checked before the first is changed
    for layer in layers:
        layer.follow(fraction)
