"""One sample's maps on their principal axes: how crowded it is around each, and which were hit in one draw."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover.compute.density import principal_projections, relative_density
from dropover.insertion.modes import training_flags
from dropover.lab.devices import device_of
from dropover.lab.probing.capturing import PROBING
from dropover.lab.streams import seeded
from dropover.methods.density import DensityDropout
from dropover.parts.effects import Flip, Zero
from dropover.parts.rates import DEFAULT_BINS, DensityRates
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer


@dataclass(frozen=True)
class Projection:
    """One sample's units on their principal axes, and one draw of a layer."""

    points: Tensor  # (units, k), coordinates; sign, order and length of an axis carry no meaning
    bins: int  # cells per axis
    density: Tensor  # (units,), units in the unit's cell over units in the fullest cell, in (0, 1]
    rates: Tensor  # (units,), the layer's probability to hit each unit
    hit: Tensor  # (units,), bool: the units that one draw hit
    verb: str  # what happened to those: "dropped", "flipped" or "hit"


def project(maps: Tensor, layer: Regularizer | None = None, components: int = 2, seed: int = 0) -> Projection:
    """Project a sample's maps on their principal axes and let a layer draw once.

    Args:
        maps: (channels, *), on the CPU, what enters the layer for one image; the channels first, wherever the layer
            has them.
        layer: A layer that hits whole maps; by default the density dropout (FDD-2D or -3D) of as many components.
        components: Principal axes, 2 or 3.
        seed: Where the layer's draw begins.

    Raises:
        TypeError: the layer's units are no maps.

    Source: Ke et al. 2020, algorithm 1, figure 6.
    """
    layer = DensityDropout(components) if layer is None else layer
    if not isinstance(layer.units, Channel):
        raise TypeError(f"a projection of maps needs a layer that hits whole maps, got {layer}")
    sample = maps.unsqueeze(0).movedim(1, layer.channel_dim).to(device_of(layer))
    points = principal_projections(maps.flatten(1).unsqueeze(0), components)
    bins = DEFAULT_BINS[components]
    if isinstance(layer.rule, DensityRates) and layer.rule.components == components:
        bins = layer.rule.bins or bins
    with training_flags(layer, lambda _module: True):
        rates = layer.rates(sample)[0].to("cpu")
    factor = factors(layer, sample, seed).movedim(layer.channel_dim, 1)[0].to("cpu")
    return Projection(
        points[0],
        bins,
        relative_density(points, bins)[0],
        rates,
        (factor.flatten(1) <= 0).all(dim=1),
        {Zero: "dropped", Flip: "flipped"}.get(type(layer.effect), "hit"),
    )


def factors(layer: Regularizer, x: Tensor, seed: int = 0) -> Tensor:
    """What a layer multiplies each element of `x`, (N, *), by in one draw in training, beginning at `seed`.

    It is 0 where zeroed and negative where flipped: the derivative of the layer's output, so that it is known too of
    elements that are 0, whose output does not show whether they were hit. The layer's training flag is put back.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad(), seeded(seed, PROBING, x.device), training_flags(layer, lambda _module: True):
        (factor,) = torch.autograd.grad(layer(x).sum(), x)
    return factor
