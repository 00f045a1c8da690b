"""The methods, one file each, and what a method is: its card, its function and its layer."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from dropover.parts.draws import Draw
from dropover.parts.effects import Effect
from dropover.parts.rates import ConstantRate, constant
from dropover.parts.schedules import Rate
from dropover.parts.units import Units
from dropover.registry import Registry, did_you_mean
from dropover.regularizer import Regularizer, Setting


@dataclass(frozen=True)
class Range:
    """From where to where a setting is searched: numbers from `low` to `high`, evenly, or evenly in their logarithm."""

    low: float
    high: float
    log: bool = False


Ranges = Mapping[str, Range | tuple[Any, ...]]
"""For settings by name what is worth trying: a range, or values to choose among."""


@dataclass(frozen=True)
class Card:
    """A method in words.

    Attributes:
        title: the method's name as its source writes it.
        summary: what it does, in a sentence or two.
        formula: what becomes of an activation x, in one line.
        acts: when it acts.
        sources: where it comes from, at least one publication, and a link to each.
        settings_in_paper: the settings that its source used.
        caveats: what is known against it, and what this implementation decided where the source is silent.
        ranges: which of its settings are worth searching, and where; the others stay as they are by default.
    """

    title: str
    summary: str
    formula: str
    acts: str
    sources: Mapping[str, str]
    settings_in_paper: str
    caveats: tuple[str, ...]
    ranges: Ranges = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A registered method.

    Attributes:
        name: its name in study files and on the command line.
        function: the method as a pure function; `dropover.functional` has it under its own name.
        layer: the class of its layer; `dropover` has it under its own name.
        kind: the positions it is meant for: "maps" after a convolution, "features" between linear layers; "weights" if
            it wraps a layer and can't be placed between two.
        card: what it is.
        presets: settings of the layer that the name fixes.
        aliases: other names for it.
    """

    name: str
    function: Callable[..., Tensor]
    layer: type[nn.Module]
    kind: Literal["maps", "features", "weights"]
    card: Card
    presets: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The settings that a user can give, with their defaults (`inspect.Parameter.empty` where there is none)."""
        fixed = {*self.presets, "num_units", "host"}
        parameters = inspect.signature(self.layer).parameters
        return {name: parameter.default for name, parameter in parameters.items() if name not in fixed}

    def takes_schedule(self, setting: str) -> bool:
        """Whether a setting is a rate that may change while training goes on."""
        parameter = inspect.signature(self.layer).parameters.get(setting)
        return parameter is not None and parameter.annotation == Rate

    @property
    def needs_units(self) -> bool:
        """Whether its layer has to know how many units pass."""
        return "num_units" in inspect.signature(self.layer).parameters

    def make(self, units: int, **settings: Any) -> nn.Module:
        """The layer, for a place with `units` units (channels or features).

        Raises:
            TypeError: a setting that the method doesn't have, or one of the wrong kind.
            ValueError: a setting outside its range, or a method that can't be placed.
        """
        if self.kind == "weights":
            raise ValueError(
                f"{self.name} acts on the weights of a layer and can't be placed between layers: wrap the layer, "
                f"dropover.{self.layer.__name__}(host)"
            )
        defaults = self.settings()
        for name in settings:
            if name not in defaults:
                hint = did_you_mean(name, defaults, most=1)
                raise TypeError(f"{self.name} has no setting {name!r}: {hint}known are {', '.join(defaults)}")
        for name, default in defaults.items():
            if default is inspect.Parameter.empty and name not in settings:
                raise TypeError(f"{self.name} needs a setting {name!r}")
        if self.needs_units:
            settings["num_units"] = units
        return self.layer(**self.presets, **settings)


METHODS: Registry[Method] = Registry("method", __name__)


class ConstantRegularizer(Regularizer):
    """A layer with the same rate `p` for all units in training and `eval_p` at inference; see `Regularizer`.

    Either is a number in [0, 1], or a schedule that `dropover.advance` moves along.
    """

    p = Setting("rule", "p")
    eval_p = Setting("eval_rule", "p")

    def __init__(
        self,
        units: Units,
        p: Rate,
        effect: Effect,
        eval_p: Rate,
        *,
        rescale: str,
        draw: Draw | None = None,
        channel_dim: int | None = None,
    ) -> None:
        rates, eval_rates = ConstantRate(p), constant("eval_p", eval_p)
        super().__init__(
            units, rates, effect, eval_rates=eval_rates, draw=draw, rescale=rescale, channel_dim=channel_dim
        )
