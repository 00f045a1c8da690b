"""The changes that an insertion makes to a model, each of which can undo itself."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from dropover.insertion.hooks import Inserted, inserted_at, shown
from dropover.regularizer import Regularizer


class Change(Protocol):
    """Something done to a model."""

    def obstacle(self, own: Collection[nn.Module]) -> str | None:
        """Why it can't be undone now, `own` being the layers of the same plan; None if it can."""

    def undo(self) -> None:
        """Put back what was there."""


@dataclass(frozen=True, eq=False)
class Hooked:
    """A layer was hooked to a host."""

    hook: Inserted

    def obstacle(self, own: Collection[nn.Module]) -> str | None:
        """None: a hook can always go."""
        return None

    def undo(self) -> None:
        """Take the hook off."""
        self.hook.detach()


@dataclass(frozen=True, eq=False)
class Swapped:
    """A child was replaced."""

    name: str
    parent: nn.Module
    attribute: str
    old: nn.Module
    new: nn.Module

    def obstacle(self, own: Collection[nn.Module]) -> str | None:
        """A later replacement in the same place."""
        if self.parent._modules.get(self.attribute) is self.new:
            return None
        return f"{shown(self.name)} was replaced again since"

    def undo(self) -> None:
        """Put the old child back."""
        setattr(self.parent, self.attribute, self.old)


@dataclass(frozen=True, eq=False)
class FusedOff:
    """A block's fused attention was turned off, so that it calls the children called `bypassed`."""

    name: str
    block: nn.Module
    bypassed: tuple[str, ...]

    def obstacle(self, own: Collection[nn.Module]) -> str | None:
        """A later layer that needs the fused attention off as well."""
        for attribute in self.bypassed:
            child = self.block._modules.get(attribute)
            if child is None:
                continue
            layers: list[nn.Module] = [hook.layer for hook in inserted_at(child)]
            layers += [child] if isinstance(child, Regularizer) else []
            if any(layer not in own for layer in layers):
                return f"another layer at {self.name + '.' + attribute!r} needs the fused attention off"
        return None

    def undo(self) -> None:
        """Turn the fused attention on again."""
        setattr(self.block, "fused_attn", True)  # noqa: B010


def undo_all(changes: list[Change]) -> None:
    """Undo in reverse order; the list is empty afterwards."""
    while changes:
        changes.pop().undo()
