"""A layer told which dimension holds the channels, or the user asked for it."""

from torch import nn

from dropover.insertion.channels import GIVEN, UNKNOWN, Channels
from dropover.regularizer import Regularizer

_MEANINGS = {
    3: ("(N, T, C)", "(N, C, T)"),
    4: ("(N, H, W, C)", "(N, C, H, W)"),
    5: ("(N, D, H, W, C)", "(N, C, D, H, W)"),
}


def asks_for_channels(layer: nn.Module) -> bool:
    """Whether it makes a difference to the layer which dimension holds the channels, and it wasn't said."""
    return any(not user.knows_channels for user in _users(layer))


def looks_at_samples(layer: nn.Module) -> bool:
    """Whether it makes a difference to the layer which numbers belong to one sample."""
    return any(isinstance(each, Regularizer) and each.uses_samples for each in layer.modules())


def settle(layer: nn.Module, told: Channels | None) -> Channels | None:
    """Tell a layer the dimension of the channels, unless the user did.

    Args:
        layer: any layer; changed in place.
        told: what is known of its place.

    Returns:
        What holds: None for a layer to which it makes no difference, `UNKNOWN` if it does and nothing is known.
    """
    users = _users(layer)
    open_ones = [user for user in users if not user.knows_channels]
    if not users:
        return None
    if not open_ones:
        said = users[0].channel_dim
        return told if told is not None and told.dim == said else Channels(said, GIVEN)
    if told is None:
        return UNKNOWN
    for user in open_ones:
        user.channel_dim = told.dim
    return told


def question(layer: nn.Module, where: str, shape: tuple[int, ...] | None = None) -> str:
    """What the user is asked where nothing tells which dimension holds the channels.

    Args:
        layer: the layer that has to know.
        where: its place, in words.
        shape: of what was seen there, if it was.
    """
    last, first = _MEANINGS.get(len(shape or ()), ("(N, *, C)", "(N, C, *)"))
    passes = "what passes there" if shape is None else f"an input of shape {shape}"
    kind = type(next(iter(_users(layer)), layer)).__name__
    return (
        f"{kind} {where}: which dimension of {passes} holds the channels can't be known from the model; say it, as "
        f"{kind}(..., channel_dim=-1) for {last} or {kind}(..., channel_dim=1) for {first}"
    )


def _users(layer: nn.Module) -> list[Regularizer]:
    return [each for each in layer.modules() if isinstance(each, Regularizer) and each.uses_channels]
