"""Named places in a network where a regulariser can sit."""

import difflib
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

Kind = Literal["maps", "features"]

DEFAULT_POSITION: dict[str, str] = {"features": "fc", "maps": "last-conv"}


@dataclass(frozen=True)
class Position:
    """What passes through a position: `units` maps (N, units, H, W), or `units` features (N, units)."""

    kind: Kind
    units: int


class Slot(nn.Module):
    """A place for one layer, empty until `place` fills it. An empty slot passes its input on and has no state."""

    def __init__(self, name: str, kind: Kind, units: int) -> None:
        super().__init__()
        self.name = name
        self.position = Position(kind, units)
        self.layer: nn.Module = nn.Identity()
        self.empty = True

    def forward(self, x: Tensor) -> Tensor:
        """The placed layer's output."""
        out: Tensor = self.layer(x)
        return out

    def extra_repr(self) -> str:
        """The slot's name and what passes through it."""
        return f"{self.name!r}, {self.position.kind}, units={self.position.units}"


def positions(model: nn.Module) -> dict[str, Position]:
    """The positions of a network by name, in the order in which the network holds them."""
    return {slot.name: slot.position for slot in _slots(model).values()}


def place(model: nn.Module, position: str, layer: nn.Module) -> None:
    """Put `layer` at a position. The network's own parameters keep their names.

    Raises:
        ValueError: the network has no such position, or a layer is there already.
    """
    slots = _slots(model)
    if position not in slots:
        close = difflib.get_close_matches(position, slots, n=2)
        hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(f"no position {position!r}: {hint}known are {', '.join(slots)}")
    slot = slots[position]
    if not slot.empty:
        raise ValueError(f"position {position!r} already holds {slot.layer}")
    slot.layer, slot.empty = layer, False


def _slots(model: nn.Module) -> dict[str, Slot]:
    return {module.name: module for module in model.modules() if isinstance(module, Slot)}
