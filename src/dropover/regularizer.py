"""Units, rates and effect joined: the pure function, and the module that holds its settings."""

import dataclasses
import inspect
from typing import Any

import torch
from torch import Tensor, nn

from dropover import masks, rescaling, validation
from dropover.draws import Bernoulli, Draw
from dropover.effects import Effect, as_effect
from dropover.rates import Rates, StrengthRates, as_rates
from dropover.units import Units, as_units


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
    """Hit the units of `x` with their rates.

    Args:
        x: activations; which shapes are allowed depends on the units. Dimension 0 holds the samples.
        units: what is hit as one: `Element()`, `Channel()`, `Position()`, `Sample()` or the name.
        rates: with what probability: a number in [0, 1] or a rule.
        effect: what happens to a hit unit: `Zero()`, `Flip(amplitude)`, `Noise(std)` or the name.
        draw: how rates become hits; each unit independently by default.
        rescale: "none", "mean" or "layer"; by default "mean" for zeroing and "none" otherwise.
        channel_dim: the dimension of the channels.
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
    check_input(x, units, channel_dim)
    return _regularize(x, units, rates, effect, draw or Bernoulli(), rescale, channel_dim, generator)


def check_input(x: Tensor, units: Units, channel_dim: int) -> None:
    """Raise `TypeError` or `ValueError` for an input that the units can't mean."""
    validation.activations(x)
    units.check(x, channel_dim)


def _regularize(
    x: Tensor,
    units: Units,
    rates: Rates,
    effect: Effect,
    draw: Draw,
    rescale: str,
    channel_dim: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    if x.numel() == 0:
        return x
    p = rates(x, units, channel_dim)
    if isinstance(p, float) and p == 0:
        return x
    key = None if torch.compiler.is_compiling() else masks.draw_key(x.device, generator)
    hits = draw(rates, p, x, units, channel_dim, key)
    return effect(x, hits, rescaling.scale(rescale, p, effect, x, units, channel_dim))


class Setting:
    """An attribute of a named layer that is a setting of one of its parts; setting it checks it."""

    def __init__(self, part: str, name: str) -> None:
        self._part = part
        self._name = name

    def __get__(self, layer: "Regularizer", owner: type) -> Any:
        return getattr(getattr(layer, self._part), self._name)

    def __set__(self, layer: "Regularizer", value: Any) -> None:
        setattr(layer, self._part, dataclasses.replace(getattr(layer, self._part), **{self._name: value}))
        layer.check_rescaling()


class Regularizer(nn.Module):
    """A regularizer from its three parts, for use as a layer.

    Args:
        units: what is hit as one: "element", "channel", "position", "sample", or one of dropover's units.
        rates: with what probability in training: a number in [0, 1], a rule, or None for never.
        effect: what happens to a hit unit: "zero", "flip", "noise", or one of dropover's effects.
        eval_rates: the same at inference; None, the default, leaves the input as it is.
        draw: how rates become hits; each unit independently by default.
        rescale: "none" (as both papers), "mean" (each unit keeps its expectation) or "layer" (divided by the
            sample's average expectation); by default "mean" for zeroing and "none" otherwise.
        channel_dim: the dimension of the channels, 1 by default.

    Raises:
        TypeError: an argument of the wrong kind.
        ValueError: an argument outside its range, or a rescaling that would divide by 0.

    Example:
        >>> flip_maps = Regularizer(units="channel", rates=0.1, effect=Flip(0.5))
    """

    def __init__(
        self,
        units: Units | str,
        rates: Rates | float | None,
        effect: Effect | str,
        *,
        eval_rates: Rates | float | None = None,
        draw: Draw | None = None,
        rescale: str | None = None,
        channel_dim: int = 1,
    ) -> None:
        super().__init__()
        self.units = as_units(units)
        self.effect = as_effect(effect)
        self.rule = None if rates is None else as_rates(rates)
        self.eval_rule = None if eval_rates is None else as_rates(eval_rates)
        if self.rule is None and self.eval_rule is None:
            raise ValueError("rates and eval_rates can't both be None: the layer would never act")
        self.draw = Bernoulli() if draw is None else draw
        self.rescale = self.effect.rescale if rescale is None else rescale
        self.channel_dim = validation.whole("channel_dim", channel_dim, -64)
        self.check_rescaling()

    def check_rescaling(self) -> None:
        """Raise `ValueError` if the rescaling would divide a surviving value by 0."""
        for rule in (self.rule, self.eval_rule):
            if rule is not None:
                rescaling.check(self.rescale, rule, self.effect)

    def rates(self, x: Tensor) -> Tensor:
        """The probability that each unit of `x` is hit, before any draw; float32, in the shape of the units.

        A layer that has a rule for inference reports the rule of its present mode; one that acts in one mode only
        reports its rule in either.
        """
        check_input(x, self.units, self.channel_dim)
        present, other = self.rule, self.eval_rule
        if not self.training:
            present, other = other, present
        rule = present if present is not None else other
        assert rule is not None
        grid = self.units.grid(x, self.channel_dim)
        if x.numel() == 0:
            return torch.zeros(grid, device=x.device)
        p = rule(x, self.units, self.channel_dim)
        if isinstance(p, Tensor):
            return p.to(torch.float32).reshape(grid)
        return torch.full(grid, p, dtype=torch.float32, device=x.device)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with its units hit, in training; as it is at inference, unless the layer has a rate there."""
        check_input(x, self.units, self.channel_dim)
        rule = self.rule if self.training else self.eval_rule
        if isinstance(self.rule, StrengthRates):
            x = self.rule.modulate(x, self.units, self.channel_dim)
        if rule is None:
            return x
        return _regularize(x, self.units, rule, self.effect, self.draw, self.rescale, self.channel_dim)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments that make this layer again."""
        own = {"rates": self.rule, "eval_rates": self.eval_rule}
        names = inspect.signature(type(self)).parameters
        return {name: own[name] if name in own else getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        """The settings, as they would be typed; those at their defaults that few turn are left out."""
        parameters = inspect.signature(type(self)).parameters
        quiet = ("eval_p", "eval_rates", "draw", "rescale", "channel_dim")
        shown = {
            name: value
            for name, value in self.settings().items()
            if name not in quiet or value != self._default(parameters[name])
        }
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())

    def _default(self, parameter: inspect.Parameter) -> Any:
        if parameter.default is None and parameter.name == "rescale":
            return self.effect.rescale
        return Bernoulli() if parameter.name == "draw" else parameter.default
