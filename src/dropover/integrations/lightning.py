"""A callback for Lightning's `Trainer`: `pip install "dropover[lightning]"`."""

import signal
from typing import Any

from dropover.integrations.following import Listener, follow

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'dropover.integrations.lightning needs Lightning: pip install "dropover[lightning]"', name=error.name
    ) from error


class AdvanceCallback(Callback):
    """Advances scheduled rates before each training batch; a model without any is left alone.

    Training is done to the share of optimizer steps made, of those that the `Trainer` expects.

    Args:
        trial: the `dropover.lab.Trial` that is trained in, if any. It hears how far training is, and logs the
            metrics that the module has logged (`trainer.callback_metrics`) at the end of each epoch. Each epoch
            begins with random numbers that all arms share, so that a `DataLoader` shuffles alike for each of them.

    Raises:
        ValueError: at the first batch: a model with scheduled rates is trained without an end.

    Example:
        >>> trainer = Trainer(max_epochs=10, callbacks=[AdvanceCallback()])
    """

    def __init__(self, trial: Listener | None = None) -> None:
        self.trial = trial

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep who hears Ctrl-C."""
        self._hears = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the epoch's random numbers."""
        if self.trial is not None:
            self.trial.share(f"epoch {trainer.current_epoch}")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Advance to the share of steps that is done."""
        follow(pl_module, trainer.global_step, trainer.estimated_stepping_batches, self.trial)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's metrics."""
        if self.trial is not None:
            self.trial.log(
                trainer.current_epoch, **{name: float(value) for name, value in trainer.callback_metrics.items()}
            )

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Hand Ctrl-C on to the trial's study: the `Trainer` would exit, and has it ignored from here on."""
        if self.trial is not None and isinstance(exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, self._hears)
            raise exception
