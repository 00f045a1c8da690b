"""How crowded the neighbourhood of each unit is: principal axes, a grid along them, and a count.

Ke et al. 2020, "Group-wise dynamic dropout based on latent semantic variations", algorithm 1.
"""

import torch
from torch import Tensor

_TINY = 1e-5  # a component that is this much shorter than the longest holds rounding, not variation


def principal_projections(maps: Tensor, components: int) -> Tensor:
    """Project each sample's units on their leading principal axes.

    Args:
        maps: (N, U, D): for each of N samples, U units as observations of D variables.
        components: how many axes, k.

    Returns:
        (N, U, k), float32 or better, finite; sign, order and length of an axis carry no meaning. Axes beyond the rank
        of the observations are 0.
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    centred = torch.nan_to_num(maps - maps.mean(dim=1, keepdim=True))
    # Only ratios matter to what follows, and squares of very large or small maps would leave the range of the dtype.
    largest = centred.abs().amax(dim=(1, 2), keepdim=True)
    centred = centred / torch.where(largest > 0, largest, 1)
    units, variables = centred.shape[1:]
    if variables == 1:
        return torch.cat([centred, centred.new_zeros(len(maps), units, components - 1)], dim=2)
    if variables <= units:
        axes = _leading_axes(centred.mT @ centred, components)
        projected = centred @ axes
    else:
        gram = centred @ centred.mT
        projected = gram @ _leading_axes(gram, components)
    length = projected.abs().amax(dim=1, keepdim=True)
    projected = torch.where(length > _TINY * length.amax(dim=2, keepdim=True), projected, 0)
    missing = components - projected.shape[2]
    return torch.cat([projected, projected.new_zeros(len(maps), units, missing)], dim=2) if missing else projected


def _leading_axes(symmetric: Tensor, components: int) -> Tensor:
    """(N, M, min(k, M)): eigenvectors of the largest eigenvalues of (N, M, M) symmetric matrices."""
    axes: Tensor = torch.linalg.eigh(symmetric).eigenvectors
    return axes[..., -components:]


def relative_density(projected: Tensor, bins: int) -> Tensor:
    """The share of the fullest cell's units that fall in each unit's own cell.

    Each component is cut into `bins` equal bins between its least and greatest value over the sample's units; the
    greatest value belongs to the last bin (the paper's formula would give it a bin of its own), and a component
    without extent is one bin.

    Args:
        projected: (N, U, k).
        bins: bins per component, at least 1.

    Returns:
        (N, U), float32, in (0, 1].
    """
    low, high = projected.amin(dim=1, keepdim=True), projected.amax(dim=1, keepdim=True)
    width = (high - low) / bins
    index = ((projected - low) / torch.where(width > 0, width, 1)).floor().clamp(0, bins - 1).long()
    cell = index[..., 0]
    for component in range(1, projected.shape[2]):
        cell = cell * bins + index[..., component]
    count = torch.zeros(cell.shape[0], bins ** projected.shape[2], device=cell.device)
    count = count.scatter_add(1, cell, torch.ones_like(cell, dtype=count.dtype))
    return count.gather(1, cell) / count.amax(dim=1, keepdim=True)
