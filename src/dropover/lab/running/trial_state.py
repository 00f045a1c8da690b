"""What changes in a trial itself while its function runs: its clock, and its random numbers."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import torch

from dropover.lab.streams import generator, go_on, random_states


class Clock:
    """Seconds since it was made, and those of runs that were killed."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How many until now."""
        return time.perf_counter() - self._started

    def state_dict(self) -> dict[str, float]:
        """The seconds."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from there."""
        self._started = time.perf_counter() - state["seconds"]


class RandomNumbers:
    """All generators of a trial: torch's, numpy's, Python's, its device's, and those that it has given away."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed, self._device = seed, device
        self._given: WeakValueDictionary[str, torch.Generator] = WeakValueDictionary()
        self._counts: Counter[str] = Counter()

    def give(self, name: str) -> torch.Generator:
        """A new generator at the start of the stream of that name, known by how many there were of that name."""
        given = generator(self._seed, name)
        self._given[f"{name} {self._counts[name]}"] = given
        self._counts[name] += 1
        return given

    def state_dict(self) -> dict[str, Any]:
        """Where all of them are."""
        given = {name: each.get_state() for name, each in self._given.items()}
        return {"given": given, "global": random_states(self._device)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Draw from there on."""
        for name, each in self._given.items():
            if name in state["given"]:
                each.set_state(state["given"][name])
        go_on(state["global"], self._device)
