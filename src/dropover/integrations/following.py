"""What the callbacks share: schedules advance as training goes, and a trial hears how far it is."""

import math
from typing import Protocol

from torch import nn

from dropover.insertion import regularizers
from dropover.progress import advance


class Listener(Protocol):
    """What hears of training: a `dropover.lab.Trial`, or anything with these methods."""

    def share(self, name: str, /) -> None:
        """From here on random numbers come from the stream of that name, which all arms share."""

    def progress(self, fraction: float, /) -> None:
        """Training is done to this share."""

    def log(self, step: int, /, **values: float) -> None:
        """What was measured at a step or epoch of training."""


def follow(model: nn.Module, step: int, steps: float, trial: Listener | None) -> None:
    """Advance the model's scheduled rates, if it has any, to `step` of `steps`, and tell the trial, if there is one.

    Raises:
        ValueError: a model with scheduled rates is trained for nobody knows how long.
    """
    scheduled = any(layer.scheduled for layer in regularizers(model))
    if not 0 < steps < math.inf:
        if scheduled:
            raise ValueError(
                f"scheduled rates need to know the number of training steps, got {steps}: give the trainer a number "
                f"of epochs or steps"
            )
        return
    fraction = min(1.0, step / steps)  # several optimizers make more steps than are planned
    if scheduled:
        advance(model, fraction)
    if trial is not None:
        trial.progress(fraction)
