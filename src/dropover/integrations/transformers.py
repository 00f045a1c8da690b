"""A callback for the `Trainer` of Hugging Face's transformers: `pip install "dropover[transformers]"`."""

from numbers import Real
from typing import Any

from torch import nn

from dropover.integrations.following import Listener, follow

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'dropover.integrations.transformers needs transformers: pip install "dropover[transformers]"', name=error.name
    ) from error

_NOT_LEARNED = ("epoch", "runtime", "per_second", "flos")
"""How the names end of what the `Trainer` logs beside metrics: clocks and counters."""


class AdvanceCallback(TrainerCallback):
    """Advances scheduled rates before each optimizer step; a model without any is left alone.

    Args:
        trial: the `dropover.lab.Trial` that is trained in, if any. It hears how far training is, and logs the losses
            and metrics that the `Trainer` logs, by the number of steps made. Each epoch begins with random numbers
            that all arms share.

    Example:
        >>> trainer = Trainer(model, TrainingArguments("out"), callbacks=[AdvanceCallback()])
    """

    def __init__(self, trial: Listener | None = None) -> None:
        self.trial = trial

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin the epoch's random numbers."""
        if self.trial is not None:
            self.trial.share(f"epoch {round(state.epoch or 0)}")

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, *, model: nn.Module, **_: Any
    ) -> None:
        """Advance to the share of steps that is done."""
        follow(model, state.global_step, state.max_steps, self.trial)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        logs: dict[str, Any],
        **_: Any,
    ) -> None:
        """Hand the logged numbers on to the trial."""
        if self.trial is not None:
            numbers = {name: float(value) for name, value in logs.items() if isinstance(value, Real)}
            self.trial.log(
                state.global_step,
                **{name: value for name, value in numbers.items() if not name.endswith(_NOT_LEARNED)},
            )
