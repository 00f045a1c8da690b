"""A sample's maps by density group, each inverted to the input: what crowded and lonely maps look at."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dropover.lab.models.parts.positions import Place
from dropover.lab.probing.capturing import activations
from dropover.lab.probing.inverting import entropy, heat, invert
from dropover.lab.probing.projecting import Projection, project

GROUPS = ("low", "medium", "high")


@dataclass(frozen=True)
class Inverted:
    """One image's maps, grouped by density and inverted; all on the CPU."""

    image: Tensor  # (channels, height, width), pixels in [0, 1]
    projection: Projection  # where the maps lie on their principal axes
    group: Tensor  # (units,), the index in `GROUPS` of each map
    response: Tensor  # (units,), each map's largest activation
    heat: Tensor  # (units, height, width), in [0, 1]; zeros for a map without response

    def members(self, name: str) -> Tensor:
        """The units of a group ("all" for every one) that see something, the strongest response first."""
        inside = torch.ones_like(self.group, dtype=torch.bool) if name == "all" else self.group == GROUPS.index(name)
        chosen = (inside & (self.heat.amax(dim=(1, 2)) > 0)).nonzero().flatten()
        return chosen[self.response[chosen].argsort(descending=True, stable=True)]

    def average(self, name: str) -> Tensor:
        """(height, width): the mean heat map of a group's members; zeros where it has none."""
        chosen = self.members(name)
        return self.heat[chosen].mean(dim=0) if len(chosen) else torch.zeros_like(self.heat[0])

    def entropy(self, name: str) -> float:
        """The mean entropy of the heat maps of a group's members, in bits; NaN where it has none."""
        return float(entropy(self.heat[self.members(name)]).mean())


def density_groups(density: Tensor) -> Tensor:
    """Each unit's group by its density, (units,) in (0, 1]: thirds of the densities that there are, in order.

    The groups are indices into `GROUPS`, all in the middle where all densities are the same. The paper says "three
    density levels" and not where they end. One cell holds far more maps than any other, so that equal steps of density,
    or equal shares of the maps, mostly leave the middle group empty.
    """
    values = torch.tensor(sorted(set(density.tolist())), dtype=density.dtype)
    return (2 * torch.searchsorted(values, density) + 1) * 3 // (2 * len(values))


def inverted_groups(model: nn.Module, place: Place, image: Tensor) -> Inverted:
    """Group the maps that pass a place by their density (FDD-2D's), and invert each to the input, as `invert` does.

    Raises `ValueError` if the place is never reached, or no maps (N, units, height, width) pass there.

    Source: Ke et al. 2020, figures 2 and 3.
    """
    maps = activations(model, place, image.unsqueeze(0))[0]
    if maps.ndim != 3:
        raise ValueError(
            f"maps (N, units, height, width) must pass {place}, got {(len(maps), *maps.shape[1:])} for an image"
        )
    projection = project(maps)
    signal = invert(model, place, image, range(len(maps)))
    groups, response = density_groups(projection.density), maps.flatten(1).amax(dim=1)
    return Inverted(image.to("cpu"), projection, groups, response, heat(signal))
