"""What was put where: the record that an insertion returns, which undoes, prints and saves it."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from dropover.insertion.channels import GIVEN, Channels
from dropover.insertion.hooks import SIDES
from dropover.insertion.serialization import decode_layer, encode

_FORMAT = "dropover plan 1"
_ALL_SIDES = (*SIDES, "instead")


class Change(Protocol):
    """Something done to a model."""

    def obstacle(self, layers: Collection[nn.Module], /) -> str | None:
        """Why it can't be undone now, `layers` being those of the same plan; None if it can."""

    def undo(self) -> None:
        """Put back what was there."""


def undo_all(changes: list[Change]) -> None:
    """Undo in reverse order; the list is empty afterwards."""
    while changes:
        changes.pop().undo()


@dataclass(frozen=True, eq=False)
class Placement:
    """One layer at one position.

    Attributes:
        names: all names of the host, several if it is shared; the root's is "".
        side: "before" or "after" the host, or "instead" of it.
        host: the name of the host's class.
        layer: the layer, which no other position has.
        note: what else had to be done there.
        channels: which dimension holds the channels, and what tells; None if it makes no difference to the layer.
    """

    names: tuple[str, ...]
    side: str
    host: str
    layer: nn.Module
    note: str = ""
    channels: Channels | None = None

    @property
    def channels_of_model(self) -> Channels | None:
        """The channels as the model tells them; None if the user gave them, or they are not known."""
        channels = self.channels
        return None if channels is None or channels.dim is None or channels.source == GIVEN else channels


@dataclass(frozen=True, eq=False)
class Plan:
    """The placements of one `insert` or `replace`.

    Pickle or deep-copy a plan together with its model, as `(model, plan)`, and the copy of the plan belongs to the
    copy of the model.

    Attributes:
        placements: what was put where, in the order of the model.
        notes: what concerns the model as a whole.
        replaced: of `replace`: the name of each replaced module, with the old and the new module.
    """

    placements: tuple[Placement, ...]
    notes: tuple[str, ...] = ()
    replaced: dict[str, tuple[nn.Module, nn.Module]] = field(default_factory=dict)
    _changes: list[Change] = field(default_factory=list, repr=False)

    @property
    def attached(self) -> bool:
        """Whether the layers act in a model: not before `insert(model, plan)` of a loaded plan, nor after `remove`."""
        return bool(self._changes)

    @property
    def layers(self) -> nn.ModuleList:
        """The layers in the order of the placements.

        Inserted layers are in no `parameters()` and no `state_dict()` of the model: learned strengths reach an
        optimizer by `plan.layers.parameters()` and a checkpoint by `plan.layers.state_dict()`.
        """
        return nn.ModuleList(placement.layer for placement in self.placements)

    def remove(self) -> None:
        """Make the model what it was; nothing happens the second time.

        Raises:
            RuntimeError: a later plan builds on this one; it must be removed first. Nothing is changed then.
        """
        layers = {placement.layer for placement in self.placements}
        for change in self._changes:
            obstacle = change.obstacle(layers)
            if obstacle is not None:
                raise RuntimeError(f"the plan can't be removed yet: {obstacle}; remove the later plan first")
        undo_all(self._changes)

    def __str__(self) -> str:
        """A table: position, side, host, channels, layer, note; then what concerns the whole model."""
        header = ("position", "side", "host", "channels", "layer", "note")
        rows = [
            (
                ", ".join(name or "(root)" for name in each.names),
                each.side,
                each.host,
                "" if each.channels is None else str(each.channels),
                repr(each.layer),
                each.note,
            )
            for each in self.placements
        ]
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        ruled = (header, tuple("-" * width for width in widths), *rows)
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in ruled
        ]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines if self.attached else [*lines, "(not attached to a model)"])

    def to_json(self) -> str:
        """The placements as JSON, for a checkpoint; `Plan.from_json` and `insert(model, plan)` put them back.

        Learned strengths are weights and are not in it: save `plan.layers.state_dict()` beside it.

        Raises:
            ValueError: a layer that is not one of dropover's.
        """
        return json.dumps({"format": _FORMAT, "placements": [_encode(each) for each in self.placements]}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """A plan from `to_json`, with new layers, attached to no model yet.

        Raises:
            ValueError: no JSON of a plan, or an unknown class or setting in it.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a plan must be JSON: {error}") from error
        if not isinstance(data, dict) or data.get("format") != _FORMAT or not isinstance(data.get("placements"), list):
            raise ValueError(f"the JSON must hold 'format': {_FORMAT!r} and a list 'placements'")
        return cls(tuple(_decode(f"placements[{index}]", each) for index, each in enumerate(data["placements"])))


def _encode(placement: Placement) -> dict[str, Any]:
    encoded: dict[str, Any] = {"names": list(placement.names), "side": placement.side, "host": placement.host}
    encoded["layer"] = encode(placement.layer)
    channels = placement.channels_of_model
    if channels is not None:
        encoded["channels"] = {"dim": channels.dim, "source": channels.source}
    return encoded


def _decode(where: str, data: Any) -> Placement:
    if not isinstance(data, dict) or set(data) - {"channels"} != {"names", "side", "host", "layer"}:
        raise ValueError(f"{where}: must have exactly the keys 'names', 'side', 'host' and 'layer', besides 'channels'")
    names, side, host = data["names"], data["side"], data["host"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{where}.names: must be a list of at least one name, got {names!r}")
    if side not in _ALL_SIDES:
        raise ValueError(f"{where}.side: must be one of {', '.join(map(repr, _ALL_SIDES))}, got {side!r}")
    if not isinstance(host, str):
        raise ValueError(f"{where}.host: must be the name of a class, got {host!r}")  # noqa: TRY004  # of a file
    channels = _channels(f"{where}.channels", data["channels"]) if "channels" in data else None
    try:
        return Placement(tuple(names), side, host, decode_layer(data["layer"]), channels=channels)
    except ValueError as error:
        raise ValueError(f"{where}.layer: {error}") from error


def _channels(where: str, data: Any) -> Channels:
    if not isinstance(data, dict) or set(data) != {"dim", "source"} or not isinstance(data["source"], str):
        raise ValueError(f"{where}: must have exactly the keys 'dim' and 'source', a text, got {data!r}")
    if data["dim"] not in (1, -1) or isinstance(data["dim"], bool):
        raise ValueError(f"{where}.dim: must be 1 or -1, got {data['dim']!r}")
    return Channels(data["dim"], data["source"])
