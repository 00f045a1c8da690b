"""What is hit as one: an element, a channel, a position, a whole sample.

A unit answers for three things: how many there are in an input (`grid`), what is known of each (`observations`), and
how one number per unit is laid over the input (`spread`). Dimension 0 holds the samples; an input of one dimension or
none is one sample.
"""

from dataclasses import dataclass

from torch import Tensor

from dropover import validation

__all__ = ["Channel", "Element", "Position", "Sample"]


@dataclass(frozen=True)
class Element:
    """Every number by itself. Takes any shape."""

    def check(self, x: Tensor, channel_dim: int) -> None:
        """Raise `ValueError` for a shape these units can't mean."""

    def grid(self, x: Tensor, channel_dim: int) -> tuple[int, ...]:
        """The shape of one number per unit: that of `x`."""
        return tuple(x.shape)

    def observations(self, x: Tensor, channel_dim: int) -> Tensor:
        """(N, units of a sample, 1): each unit's only number."""
        return x.reshape(x.shape[0] if x.ndim > 1 else 1, -1, 1)

    def spread(self, values: Tensor, x: Tensor, channel_dim: int) -> Tensor:
        """Lay `values`, one per unit, over `x`."""
        return values.reshape(x.shape)


@dataclass(frozen=True)
class Channel:
    """A whole feature map; a single feature where the input is (N, C)."""

    def check(self, x: Tensor, channel_dim: int) -> None:
        """Raise `ValueError` for a shape these units can't mean."""
        _channel(x, channel_dim, 2, "channel units take (N, C) or (N, C, *)")

    def grid(self, x: Tensor, channel_dim: int) -> tuple[int, ...]:
        """(N, C)."""
        return (x.shape[0], x.shape[channel_dim])

    def observations(self, x: Tensor, channel_dim: int) -> Tensor:
        """(N, C, D): each channel's map, D the product of the other sizes (1 where there are none)."""
        return x.movedim(channel_dim, 1).flatten(2) if x.ndim > 2 else x.unsqueeze(2)

    def spread(self, values: Tensor, x: Tensor, channel_dim: int) -> Tensor:
        """Lay `values`, one per unit, over `x`."""
        shape = [1] * x.ndim
        shape[0], shape[channel_dim] = x.shape[0], x.shape[channel_dim]
        return values.reshape(shape)


@dataclass(frozen=True)
class Position:
    """One place across all channels: a pixel, a time step, a token."""

    def check(self, x: Tensor, channel_dim: int) -> None:
        """Raise `ValueError` for a shape these units can't mean."""
        _channel(x, channel_dim, 3, "position units take (N, C, L), (N, C, H, W) or (N, C, D, H, W)")

    def grid(self, x: Tensor, channel_dim: int) -> tuple[int, ...]:
        """(N, *): the sizes of `x` without the channels."""
        return tuple(size for dim, size in enumerate(x.shape) if dim != channel_dim % x.ndim)

    def observations(self, x: Tensor, channel_dim: int) -> Tensor:
        """(N, positions, C): what all channels say of each position."""
        return x.movedim(channel_dim, -1).flatten(1, -2)

    def spread(self, values: Tensor, x: Tensor, channel_dim: int) -> Tensor:
        """Lay `values`, one per unit, over `x`."""
        return values.reshape(self.grid(x, channel_dim)).unsqueeze(channel_dim)


@dataclass(frozen=True)
class Sample:
    """All that belongs to one sample."""

    def check(self, x: Tensor, channel_dim: int) -> None:
        """Raise `ValueError` for a shape these units can't mean."""
        if x.ndim < 1:
            raise ValueError("sample units take (N, *), got an input without dimensions")

    def grid(self, x: Tensor, channel_dim: int) -> tuple[int, ...]:
        """(N,)."""
        return (x.shape[0],)

    def observations(self, x: Tensor, channel_dim: int) -> Tensor:
        """(N, 1, D): the one unit of a sample with all its numbers."""
        return x.reshape(x.shape[0], 1, -1)

    def spread(self, values: Tensor, x: Tensor, channel_dim: int) -> Tensor:
        """Lay `values`, one per unit, over `x`."""
        return values.reshape(-1, *[1] * (x.ndim - 1))


Units = Element | Channel | Position | Sample

_BY_NAME: dict[str, Units] = {"element": Element(), "channel": Channel(), "position": Position(), "sample": Sample()}


def as_units(units: Units | str) -> Units:
    """The units that a user's word means: "element", "channel", "position" or "sample"."""
    if isinstance(units, str):
        validation.choice("units", units, _BY_NAME)
        return _BY_NAME[units]
    if not isinstance(
        units, (Element, Channel, Position, Sample)
    ):  # a tuple: the compiler of torch 2.6 can't read a union
        raise TypeError(f"units must be a name or one of dropover's units, got {units!r}")
    return units


def map_dims(x: Tensor, channel_dim: int, who: str) -> list[int]:
    """The dimensions that a map spans; `ValueError`, in the name of `who`, for an input without maps."""
    _channel(x, channel_dim, 3, f"{who} take maps (N, C, L), (N, C, H, W) or (N, C, D, H, W)")
    return [dim for dim in range(1, x.ndim) if dim != channel_dim % x.ndim]


def _channel(x: Tensor, channel_dim: int, least: int, takes: str) -> None:
    shape = tuple(x.shape)
    if x.ndim < least:
        raise ValueError(f"{takes}, got an input of shape {shape}")
    if not -x.ndim < channel_dim < x.ndim or channel_dim == 0:
        raise ValueError(
            f"channel_dim must name a dimension of the input other than 0, the samples; "
            f"got {channel_dim} for an input of shape {shape}"
        )
