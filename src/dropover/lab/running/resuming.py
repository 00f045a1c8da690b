"""How a trial of a user's function goes on where it was killed: its objects are as they were, and its loops too."""

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol, runtime_checkable

import torch
from torch import nn

from dropover.lab.models.parts.placed_layers import load_net_state, net_state
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.records.files import DamagedError
from dropover.lab.running.loops import Loops
from dropover.lab.running.passing import PassingError


class CheckpointError(PassingError):
    """What a killed run has left doesn't fit what runs now; it is set aside, so that the next run begins anew."""


@runtime_checkable
class Stateful(Protocol):
    """A module, an optimizer, a schedule, or whatever else has these."""

    def state_dict(self) -> Mapping[str, Any]:
        """What it is at, as tensors and plain data."""

    def load_state_dict(self, state_dict: Any, /) -> object:
        """Be at that again."""


Part = Stateful | torch.Generator | dict[Any, Any] | list[Any]


class Resuming:
    """Keeps the parts of a trial now and then, and gives them back their state at the same place in the loops.

    There and not before, so that what was done to them on the way to that place is undone.
    """

    def __init__(self, checkpoints: Checkpoints, loops: Loops, own: Mapping[str, Part], random: Stateful) -> None:
        self._checkpoints, self._loops = checkpoints, loops
        self._own, self._random = own, random
        self._added: dict[str, Part] = {}
        self._kept = checkpoints.read()
        """What a killed run has left, until its place is come to."""
        loops.first = loops.begun

    def add(self, parts: Mapping[str, Part]) -> None:
        """Keep these too, by name; `TypeError` for what has no state."""
        for name, part in parts.items():
            if not isinstance(part, Stateful | torch.Generator | dict | list):
                raise TypeError(
                    f"{name} must have state_dict and load_state_dict, or be a torch.Generator, a dict or a list, got "
                    f"{type(part).__name__}"
                )
        self._added.update(parts)

    def start(self) -> int:
        """The index of the item at which the loop begins that has just been entered; `CheckpointError` without one."""
        if self._kept is None:
            return 0
        there, level = self._kept["place"], len(self._loops.open) - 1
        around, (ordinal, _) = self._loops.place[:-1], self._loops.place[-1]
        if around != there[:level] or level >= len(there) or ordinal != there[level][0]:
            return 0
        index: int = there[level][1]
        if index >= (self._loops.open[-1].count or 0):
            self._refuse("is of a loop that is shorter now")
        return index

    def pause(self) -> None:
        """Between two items: go on as a killed run was here, or keep what is, if it is time to."""
        loops = self._loops.open
        if self._kept is not None:
            if self._loops.place == self._kept["place"]:
                self._go_on(self._kept["parts"])
                self._kept = None
            return
        # Not at the end of a loop: what it leaves in variables would be missing.
        between = loops[-1].kept and 0 < loops[-1].index < (loops[-1].count or 0)
        if between and self._checkpoints.due(epoch_ends=len(loops) == 1):
            parts = {name: _state(part) for name, part in self._parts.items()}
            self._checkpoints.write({"place": self._loops.place, "parts": parts})

    def end(self) -> None:
        """Say so if the place was never come to at which a killed run was: `CheckpointError`."""
        if self._kept is not None:
            self._refuse("is of a loop that there isn't any more")

    @property
    def _parts(self) -> dict[str, Part]:
        """All of them; random numbers come last, since setting others may draw some."""
        return {**self._added, **self._own, "its random numbers": self._random}

    def _go_on(self, states: Mapping[str, Any]) -> None:
        if set(states) != set(self._parts):
            self._refuse(f"holds {', '.join(states)}, and not {', '.join(self._parts)}")
        for name, part in self._parts.items():
            try:
                _load(part, states[name])
            except (ValueError, RuntimeError, KeyError, TypeError) as error:
                self._refuse(f"holds another {name} ({' '.join(str(error).split())})")

    def _refuse(self, why: str) -> NoReturn:
        self._checkpoints.refuse(DamagedError(why))
        raise CheckpointError(f"the checkpoint of a run that was stopped {why}; the same command begins the trial anew")


def _state(part: Part) -> Any:
    if isinstance(part, nn.Module):
        return net_state(part)  # with the layers inserted in it
    if isinstance(part, torch.Generator):
        return part.get_state()
    return part if isinstance(part, dict | list) else part.state_dict()


def _load(part: Part, state: Any) -> None:
    if isinstance(part, nn.Module):
        load_net_state(part, state)
    elif isinstance(part, torch.Generator):
        part.set_state(state)
    elif isinstance(part, dict):
        part.clear()
        part.update(state)
    elif isinstance(part, list):
        part[:] = state
    else:
        part.load_state_dict(state)
