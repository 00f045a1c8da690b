"""What is hit as one: an element, a channel, a position, a whole sample.

Units are told apart by the sample they belong to, and by channel, position, both or neither. `on` binds an input to
them once: it checks the input and returns a `View`, which all other parts take. Dimension 0 holds the samples; to
elements, an input of one dimension or none is one sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dropover import validation

__all__ = ["Channel", "Element", "Position", "Sample"]


@dataclass(eq=False)
class View:
    """Activations `x` seen as units: `dims` tell them apart; `shape` has the sizes of `x` in these, else 1."""

    units: "Units"
    x: Tensor
    channel_dim: int
    dims: Sequence[int]
    shape: tuple[int, ...]

    @property
    def grid(self) -> tuple[int, ...]:
        """How many units there are, one size for each of `dims`."""
        return tuple(self.shape[dim] for dim in self.dims)

    def observations(self) -> Tensor:
        """(N, units of a sample, D): what is known of each unit, D numbers."""
        x = self.x
        if self.units.elementwise:
            return x.reshape(x.shape[0] if x.ndim > 1 else 1, -1, 1)
        count = len(self.dims)
        x = x.movedim(tuple(self.dims), tuple(range(count)))
        x = x.flatten(count) if x.ndim > count else x.unsqueeze(count)
        return x.unsqueeze(1) if count == 1 else x.flatten(1, count - 1)

    def spread(self, values: Tensor) -> Tensor:
        """One number per unit, to be broadcast over `x`."""
        return values.reshape(self.shape)


@dataclass(frozen=True)
class Units:
    """What is hit as one. Your own are a subclass that says what tells them apart, or gives a `View` in `on`."""

    by_channel: ClassVar[bool] = False  # whether units at different channels are different
    by_position: ClassVar[bool] = False  # whether those at different positions of a map are
    elementwise: ClassVar[bool] = False  # whether every number is a unit
    uses_channels: ClassVar[bool] = False  # whether it matters which dimension holds the channels
    least: ClassVar[int] = 1  # dimensions of an input
    takes: ClassVar[str] = "units take (N, *)"

    def on(self, x: Tensor, channel_dim: int = 1) -> View:
        """`x` seen as these units.

        Raises:
            TypeError: `x` is not a tensor of real floating-point numbers: nothing else can be dropped and rescaled.
            ValueError: a shape that the units can't mean.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {type(x).__name__}")
        if not x.is_floating_point():
            raise TypeError(f"input must have a real floating-point dtype such as torch.float32, got {x.dtype}")
        if x.is_nested:
            self._check_nested(x)
        if x.ndim < self.least or (self.uses_channels and not (-x.ndim < channel_dim < x.ndim and channel_dim)):
            _refuse(x, channel_dim, self.least, self.takes)
        if self.elementwise:
            return View(self, x, channel_dim, range(x.ndim), x.shape)
        channel, dims, shape = channel_dim % x.ndim, [], [1] * x.ndim
        for dim, size in enumerate(x.shape):
            if dim == 0 or (self.by_channel if dim == channel else self.by_position):
                dims.append(dim)
                shape[dim] = size
        return View(self, x, channel_dim, tuple(dims), tuple(shape))

    def _check_nested(self, x: Tensor) -> None:
        if not self.elementwise:
            raise ValueError(f"input must not be nested for {self} units: they ask for samples of one shape")
        if x.layout != torch.jagged or not x.is_contiguous():
            given = f"a contiguous one of layout {x.layout}" if x.is_contiguous() else "one that is not contiguous"
            raise ValueError(f"a nested input must be contiguous and of layout torch.jagged, got {given}")


class Element(Units):
    """Every number by itself. Takes any shape."""

    by_channel = by_position = elementwise = True
    least = 0


class Channel(Units):
    """A whole feature map; a single feature where the input is (N, C)."""

    by_channel = uses_channels = True
    least = 2
    takes = "channel units take (N, C) or (N, C, *)"


class Position(Units):
    """One place across all channels: a pixel, a time step, a token."""

    by_position = uses_channels = True
    least = 3
    takes = "position units take (N, C, L), (N, C, H, W) or (N, C, D, H, W)"


class Sample(Units):
    """All that belongs to one sample."""

    takes = "sample units take (N, *)"


_BY_NAME: dict[str, Units] = {"element": Element(), "channel": Channel(), "position": Position(), "sample": Sample()}


def as_units(units: Units | str) -> Units:
    """The units that a user's word means: "element", "channel", "position" or "sample"."""
    if isinstance(units, str):
        validation.choice("units", units, _BY_NAME)
        return _BY_NAME[units]
    if not isinstance(units, Units):
        raise TypeError(f"units must be a name or one of dropover's units, got {units!r}")
    return units


def map_dims(x: Tensor, channel_dim: int, who: str) -> list[int]:
    """The dimensions that a map spans; `ValueError`, in the name of `who`, for an input without maps."""
    if x.ndim < 3 or not (-x.ndim < channel_dim < x.ndim and channel_dim):
        _refuse(x, channel_dim, 3, f"{who} take maps (N, C, L), (N, C, H, W) or (N, C, D, H, W)")
    return [dim for dim in range(1, x.ndim) if dim != channel_dim % x.ndim]


def _refuse(x: Tensor, channel_dim: int, least: int, takes: str) -> None:
    shape = tuple(x.shape)
    if x.ndim < least:
        raise ValueError(f"{takes}, got an input {f'of shape {shape}' if shape else 'without dimensions'}")
    raise ValueError(
        f"channel_dim must name a dimension of the input other than 0, the samples; "
        f"got {channel_dim} for an input of shape {shape}"
    )
