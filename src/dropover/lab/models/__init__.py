"""Networks with named positions for regularisers: one file per network, found by the registry `NETWORKS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dropover.registry import Registry

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A network by name.

    `build(channels, size, classes, **settings)` makes one for square images of that many channels and pixels a side;
    its keyword-only arguments are the network's settings.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    build: Callable[..., nn.Module]


NETWORKS: Registry[Network] = Registry("network", __name__)
