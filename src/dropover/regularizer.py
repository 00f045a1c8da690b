"""Units, rates and effect joined: the pure function, and the module that holds its settings."""

import dataclasses
import inspect
from typing import Any

import torch
from torch import Tensor
from torch.fx import Proxy

from dropover import tracing, validation
from dropover.compute import masks
from dropover.parts import rescaling
from dropover.parts.draws import Bernoulli, Draw, as_draw
from dropover.parts.effects import Effect, as_effect
from dropover.parts.rates import Rates, as_rates
from dropover.parts.schedules import Rate
from dropover.parts.units import Units, View, as_units
from dropover.scheduled import Follower


def regularize(
    x: Tensor,
    units: Units | str,
    rates: Rates | float,
    effect: Effect | str,
    *,
    draw: Draw | None = None,
    rescale: str | None = None,
    channel_dim: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Hit the units of `x` with their rates; `units` to `rescale` are those of `Regularizer`.

    Args:
        x: activations; which shapes are allowed depends on the units. Dimension 0 holds the samples.
        units: what is hit as one.
        rates: with what probability: a number in [0, 1] or a rule.
        effect: what happens to a hit unit.
        draw: how rates become hits.
        rescale: what survivors are multiplied by.
        channel_dim: the dimension of the channels: -1 for tokens `(N, T, C)`.
        generator: where the random key comes from; by default torch's generator of the input's device.

    Returns:
        A tensor of the shape, dtype and memory layout of `x`.

    Raises:
        TypeError: `x` is not a tensor of real floating-point numbers.
        ValueError: a shape that the units can't mean, or a setting outside its range.
    """
    units, rates, effect = as_units(units), as_rates(rates), as_effect(effect)
    rescale = effect.rescale if rescale is None else rescale
    rescaling.check(rescale, rates, effect)
    return _hit(units.on(x, channel_dim), rates, effect, as_draw(draw, rates), rescale, generator=generator)


def _hit(
    units: View,
    rates: Rates,
    effect: Effect,
    draw: Draw,
    rescale: str,
    *,
    p: float | Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The one path of a call: rates, key, hits, effect; `p` is the rate of a schedule."""
    x = units.x
    if x.is_nested and (draw.uses_channels or not rates.uniform):
        raise ValueError(
            f"input must not be nested for rates={rates!r} with draw={draw!r}: they ask for samples of one shape"
        )
    if x.numel() == 0:
        return x
    # Rules and draws are called by name: torch 2.6's compiler hashes what it calls, before its fields are set.
    if p is None and not rates.drawn:
        p = rates.__call__(units)
    if isinstance(p, float) and p == 0:
        return x
    if x.is_nested:
        values = units.units.on(x.values())
        y = _hit(values, rates, effect, draw, rescale, p=p, generator=generator)
        return torch.nested.nested_tensor_from_jagged(y, x.offsets())  # type: ignore[attr-defined]  # of nested tensors
    key = None if torch.compiler.is_compiling() and generator is None else masks.draw_key(x.device, generator)
    if p is None:
        p = rates.of_call(units, key)
    hits = draw.__call__(rates, p, units, key)
    return effect(x, hits, 1.0 if rescale == "none" else rescaling.scale(rescale, p, effect, units))


class Setting:
    """An attribute of a named layer that is a setting of one of its parts; setting it checks it."""

    def __init__(self, part: str, name: str) -> None:
        self._part = part
        self._name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    def __get__(self, layer: "Regularizer | None", owner: type) -> Any:
        if layer is None:
            return self
        return getattr(getattr(layer, self._part), self._name)

    def __set__(self, layer: "Regularizer", value: Any) -> None:
        old = getattr(layer, self._part)
        try:
            setattr(layer, self._part, dataclasses.replace(old, **{self._name: value}))
            layer.check_rescaling()
            layer.follow(layer.progress)
        except (TypeError, ValueError) as error:
            setattr(layer, self._part, old)
            raise type(error)(f"{type(layer).__name__}.{self._attribute}: {error}") from None


class Regularizer(Follower):
    """A regularizer from its three parts, for use as a layer.

    Args:
        units: what is hit as one: "element", "channel", "position", "sample", or one of dropover's units.
        rates: with what probability in training: a number in [0, 1], a schedule of numbers that `dropover.advance`
            moves along, a rule, or None for never.
        effect: what happens to a hit unit: "zero", "flip", "noise", or one of dropover's effects.
        eval_rates: the same at inference; None, the default, leaves the input as it is.
        draw: how rates become hits; each unit independently by default.
        rescale: "none" (as both papers), "mean" (each unit keeps its expectation), "layer" (divided by the sample's
            average expectation) or "balanced" (between keeping a unit's mean and keeping its second moment); by
            default "mean" for zeroing and "none" otherwise.
        channel_dim: the dimension of the channels. None, the default, leaves it open: `insert` and `replace` take it
            from the place, and a layer that nobody told takes 1. Elements and samples have none.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: an argument outside its range or without effect, or a rescaling that would divide by 0.

    Example:
        >>> flip_maps = Regularizer(units="channel", rates=0.1, effect=Flip(0.5))
    """

    def __init__(
        self,
        units: Units | str,
        rates: Rates | Rate | None,
        effect: Effect | str,
        *,
        eval_rates: Rates | Rate | None = None,
        draw: Draw | None = None,
        rescale: str | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.units = as_units(units)
        self.effect = as_effect(effect)
        self.rule = None if rates is None else as_rates(rates)
        self.eval_rule = None if eval_rates is None else as_rates(eval_rates)
        if self.rule is None and self.eval_rule is None:
            raise ValueError("rates and eval_rates can't both be None: the layer would never act")
        self.draw = as_draw(draw, self.rule, self.eval_rule)
        self.rescale = self.effect.rescale if rescale is None else rescale
        self.channel_dim = channel_dim
        self.check_rescaling()
        self.follow(0.0)

    @property
    def channel_dim(self) -> int:
        """The dimension of the channels: what was said, or else 1. Setting it says it; None takes that back."""
        return 1 if self._channel_dim is None else self._channel_dim

    @channel_dim.setter
    def channel_dim(self, value: int | None) -> None:
        dim = None if value is None else validation.whole("channel_dim", value, -64)
        if dim is not None and not self.uses_channels:
            raise ValueError(f"channel_dim must be None for {self.units} units, which have no channels, got {dim}")
        self._channel_dim = dim

    @property
    def knows_channels(self) -> bool:
        """Whether the dimension of the channels was said."""
        return self._channel_dim is not None

    @property
    def uses_channels(self) -> bool:
        """Whether it makes a difference to the layer which dimension holds the channels."""
        return self.units.uses_channels or self.draw.uses_channels

    @property
    def uses_samples(self) -> bool:
        """Whether it makes a difference to the layer which numbers belong to one sample."""
        alike = self.units.elementwise and all(rule.uniform for rule in self.rules)
        return self.uses_channels or not alike

    @property
    def draws_once(self) -> bool:
        """Whether one random number of a call decides for all its samples."""
        return self.draw.shared or any(rule.drawn for rule in self.rules)

    def check_rescaling(self) -> None:
        """Raise `ValueError` if the rescaling would divide a surviving value by 0."""
        for rule in self.rules:
            rescaling.check(self.rescale, rule, self.effect)

    def rates(self, x: Tensor) -> Tensor:
        """The probability that each unit of `x` is hit, before any draw; float32, in the shape of the units.

        A layer that has a rule for inference reports the rule of its present mode; one that acts in one mode only
        reports its rule in either.
        """
        units = self.units.on(x, self.channel_dim)
        present, other = self.rule, self.eval_rule
        if not self.training:
            present, other = other, present
        rule = present if present is not None else other
        assert rule is not None
        if x.numel() == 0:
            return torch.zeros(units.grid, device=x.device)
        p = rule.at(self.progress) if rule.scheduled else rule(units)
        if isinstance(p, Tensor):
            p = p.to(torch.float32)
            return p.reshape(units.grid) if p.ndim > 0 else p.expand(units.grid).clone()
        return torch.full(units.grid, p, dtype=torch.float32, device=x.device)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with its units hit, in training; as it is at inference, unless the layer has a rate there."""
        if isinstance(x, Proxy):
            return tracing.record_layer(self, x)
        units = self.units.on(x, 1 if self._channel_dim is None else self._channel_dim)
        if self.rule is not None and self.rule.modulates:
            units.x = self.rule.modulate(units)
        rule = self.rule if self.training else self.eval_rule
        if rule is None:
            return units.x
        p = self.present_rate(rule, x.device) if self.scheduled and rule.scheduled else None
        return _hit(units, rule, self.effect, self.draw, self.rescale, p=p)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments that make this layer again."""
        parts = {"rates": self.rule, "eval_rates": self.eval_rule, "channel_dim": self._channel_dim}
        names = inspect.signature(type(self)).parameters
        return {name: parts[name] if name in parts else getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        """The settings, as they would be typed; those at their defaults that few turn are left out."""
        defaults = {name: each.default for name, each in inspect.signature(type(self)).parameters.items()}
        if defaults.get("rescale", "") is None:
            defaults["rescale"] = self.effect.rescale
        if "draw" in defaults:
            defaults["draw"] = Bernoulli()
        quiet = ("eval_p", "eval_rates", "draw", "rescale", "channel_dim")
        return ", ".join(
            f"{name}={value!r}"
            for name, value in self.settings().items()
            if name not in quiet or value != defaults[name]
        )
