"""What a method is, where it comes from and what is known against it, as data beside its code."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn


@dataclass(frozen=True)
class Source:
    """A publication, with a link."""

    text: str
    url: str


@dataclass(frozen=True)
class Card:
    """A method in words.

    Attributes:
        title: the method's name as its source writes it.
        summary: what it does, in a sentence or two.
        formula: what becomes of an activation x, in one line.
        acts: when it acts.
        sources: where it comes from; at least one.
        settings_in_paper: the settings that its source used.
        caveats: what is known against it, and what this implementation decided where the source is silent.
    """

    title: str
    summary: str
    formula: str
    acts: str
    sources: tuple[Source, ...]
    settings_in_paper: str
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """A registered method: its name in study files and on the command line, its card, and how to make its layer.

    Attributes:
        name: its name.
        card: what it is.
        layer: the class of its layer.
        kind: the positions it is meant for: "maps" after a convolution, "features" between linear layers; "weights" if
            it wraps a layer and can't be placed between two.
        presets: settings of the layer that the name fixes.
        aliases: other names for it.
    """

    name: str
    card: Card
    layer: Callable[..., nn.Module]
    kind: Literal["maps", "features", "weights"]
    presets: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The settings that a user can give, with their defaults (`inspect.Parameter.empty` where there is none)."""
        taken = {*self.presets, "num_units", "host"}
        parameters = inspect.signature(self.layer).parameters
        return {name: parameter.default for name, parameter in parameters.items() if name not in taken}

    def shown_settings(self) -> dict[str, Any]:
        """The settings worth a reader's time: without those that every method has."""
        return {name: value for name, value in self.settings().items() if name not in ("rescale", "channel_dim")}

    def make(self, units: int, **settings: Any) -> nn.Module:
        """The layer, for a place with `units` units (channels or features).

        Raises:
            TypeError: a setting that the method doesn't have, or one of the wrong kind.
            ValueError: a setting outside its range, or a method that can't be placed.
        """
        if self.kind == "weights":
            raise ValueError(
                f"{self.name} acts on the weights of a layer and can't be placed between layers: wrap the layer, "
                f"dropover.{getattr(self.layer, '__name__', self.layer)}(host)"
            )
        known = self.settings()
        for name in settings:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                raise TypeError(f"{self.name} has no setting {name!r}: {hint}known are {', '.join(known)}")
        for name, default in known.items():
            if default is inspect.Parameter.empty and name not in settings:
                raise TypeError(f"{self.name} needs a setting {name!r}")
        if "num_units" in inspect.signature(self.layer).parameters:
            settings["num_units"] = units
        return self.layer(**self.presets, **settings)
