"""How a layer follows its schedules: it keeps the progress of training, and the rates that follow from it."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from dropover import validation
from dropover.parts.rates.base import Rates


class Follower(nn.Module):
    """A layer with a rule for training and one for inference; `scheduled` says whether either follows a schedule.

    The progress is a plain number, which eager mode takes its rates from. A compiled graph would be compiled anew for
    each number, so it reads the present rates from a buffer; that is float32 whatever the model is cast to, and is
    left out of checkpoints, since it follows from the progress.
    """

    rule: Rates | None
    eval_rule: Rates | None
    _present: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._progress = 0.0
        self.scheduled = False

    @property
    def rules(self) -> list[Rates]:
        """The rules that it has."""
        return [rule for rule in (self.rule, self.eval_rule) if rule is not None]

    @property
    def progress(self) -> float:
        """How far training is, from 0 to 1, as `dropover.advance` last said."""
        return self._progress

    def rates_at(self, progress: float) -> list[float]:
        """What the schedules give for training and for inference; 0 for a rule that isn't scheduled.

        `TypeError` for a schedule that gives no number, `ValueError` for one outside [0, 1].
        """
        rules = (self.rule, self.eval_rule)
        return [rule.at(progress) if rule is not None and rule.scheduled else 0.0 for rule in rules]

    def follow(self, progress: float) -> None:
        """Take the rates of a progress in [0, 1]; errors as `rates_at`, which then change nothing."""
        rates = torch.tensor(self.rates_at(progress), dtype=torch.float32)
        self._progress = progress
        self.scheduled = any(rule.scheduled for rule in self.rules)
        old = self._buffers.get("_present")
        if not self.scheduled:
            self._buffers.pop("_present", None)
        elif old is not None and old.dtype == torch.float32:
            with torch.no_grad():
                old.copy_(rates)  # in place: a graph may have been captured with its address
        else:
            self.register_buffer("_present", rates if old is None else rates.to(old.device), persistent=False)

    def present_rate(self, rule: Rates, device: torch.device) -> float | Tensor:
        """The scheduled rate of the present mode: a number, or in a compiled graph a tensor without dimensions."""
        if torch.compiler.is_compiling():
            return self._present[0 if self.training else 1].to(device)
        return rule.at(self._progress)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.follow(self._progress)  # a cast has rounded the rates, and `to_empty` has lost them
        return self

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.scheduled:
            # No buffer: a cast would round it, and a step could then come too early or too late.
            destination[prefix + "progress"] = torch.tensor(self._progress, dtype=torch.float64, device="cpu")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if not self.scheduled:
            return
        *_, missing, unexpected, errors = rest
        key = prefix + "progress"
        if key not in state_dict:
            missing.append(key)
            return
        if key in unexpected:
            unexpected.remove(key)
        try:
            self.follow(validation.number("progress", float(state_dict[key]), 0, 1))
        except (TypeError, ValueError, RuntimeError) as error:
            errors.append(f"{key}: {error}")
