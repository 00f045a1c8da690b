"""Which dimension of what passes a place holds the channels; a layer told of it, or the user asked for it."""

from dataclasses import dataclass, replace

from torch import nn

from dropover.regularizer import Regularizer

_MEANINGS = {
    3: ("(N, T, C)", "(N, C, T)"),
    4: ("(N, H, W, C)", "(N, C, H, W)"),
    5: ("(N, D, H, W, C)", "(N, C, D, H, W)"),
}


@dataclass(frozen=True)
class Channels:
    """Which dimension holds the channels at a place."""

    dim: int | None  # 1, or -1 for the last; None where nothing tells
    source: str  # what tells, in words
    sizes: tuple[int, ...] = ()  # how many channels the parts have, where these tell; empty where that is certain
    rank: int | None = None  # how many dimensions the maps of such parts have; None where they don't say

    def fit(self, shape: tuple[int, ...]) -> bool:
        """Whether this can be believed of a tensor of this shape; of (N, C) always, which leaves no choice."""
        if len(shape) < 3:
            return True
        if self.dim is None:
            return False
        if not self.sizes:
            return True
        if self.dim == -1:
            return shape[-1] in self.sizes
        # Branches that are concatenated have more channels than any part.
        return self.rank in (None, len(shape)) and (shape[1] in self.sizes or shape[-1] not in self.sizes)

    def of(self, name: str) -> "Channels":
        """The same with the name of the module that tells; the root has none."""
        return replace(self, source=f"{self.source} {name!r}") if name else self

    def __str__(self) -> str:
        """For the plan's table: the dimension, and what tells."""
        return self.source if self.dim is None else f"{self.dim} ({self.source})"


UNKNOWN = Channels(None, "asked for")
GIVEN = "given"


def asks_for_channels(layer: nn.Module) -> bool:
    """Whether it makes a difference to the layer which dimension holds the channels, and it wasn't said."""
    return any(not user.knows_channels for user in _users(layer))


def looks_at_samples(layer: nn.Module) -> bool:
    """Whether it makes a difference to the layer which numbers belong to one sample."""
    return any(isinstance(each, Regularizer) and each.uses_samples for each in layer.modules())


def settle(layer: nn.Module, channels: Channels | None) -> Channels | None:
    """Tell a layer, in place, what is known of the channels, unless the user did.

    Returns what holds: None for a layer to which it makes no difference, `UNKNOWN` if it does and nothing is known.
    """
    users = _users(layer)
    if not users:
        return None
    if not asks_for_channels(layer):
        dim = users[0].channel_dim
        return channels if channels is not None and channels.dim == dim else Channels(dim, GIVEN)
    if channels is None:
        return UNKNOWN
    for user in users:
        if not user.knows_channels:
            user.channel_dim = channels.dim
    return channels


def question(layer: nn.Module, where: str, shape: tuple[int, ...] | None = None) -> str:
    """What the user is asked where nothing tells which dimension of an input (of that shape) holds the channels."""
    last, first = _MEANINGS.get(len(shape or ()), ("(N, *, C)", "(N, C, *)"))
    passes = "what passes there" if shape is None else f"an input of shape {shape}"
    kind = type(next(iter(_users(layer)), layer)).__name__
    return (
        f"{kind} {where}: which dimension of {passes} holds the channels can't be known from the model; say it, as "
        f"{kind}(..., channel_dim=-1) for {last} or {kind}(..., channel_dim=1) for {first}"
    )


def _users(layer: nn.Module) -> list[Regularizer]:
    return [each for each in layer.modules() if isinstance(each, Regularizer) and each.uses_channels]
