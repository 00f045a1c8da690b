"""Networks with named positions for regularizers: one file per network, found by the registry `NETWORKS`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dropover.registry import Registry

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Network:
    """A network by name.

    Attributes:
        name: Its name in a study file.
        aliases: Other names for it.
        summary: What it is, in a line.
        build: `build(channels, size, classes, **settings)` makes one for square images of that many channels and pixels
            a side.
        positions: From the name of a position, as the papers use it, to where that is: a module's path or a glob
            pattern ("layer4", "blocks.*.mlp"), "before " and such a path, or several of these.
        settings_from: Whose arguments are the network's settings, where that isn't `build`.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    build: Callable[..., nn.Module]
    positions: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    settings_from: Callable[..., object] | None = None

    def settings(self) -> dict[str, Any]:
        """What a study can set, with the defaults (`inspect.Parameter.empty` where there is none)."""
        return {each.name: each.default for each in self._parameters() if each.kind is not each.VAR_KEYWORD}

    @property
    def takes_any_setting(self) -> bool:
        """Whether it takes settings that its signature doesn't name."""
        return any(each.kind is each.VAR_KEYWORD for each in self._parameters())

    def _parameters(self) -> list[inspect.Parameter]:
        parameters = inspect.signature(self.settings_from or self.build).parameters.values()
        unset = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
        return [each for each in parameters if each.kind not in unset and each.name not in OF_THE_DATA]


OF_THE_DATA = ("channels", "size", "classes")
"""What every network is told of the images, and no study sets."""

NETWORKS: Registry[Network] = Registry("network", __name__)
