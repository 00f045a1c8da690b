"""How crowded the neighbourhood of each unit is: principal axes, a grid along them, and a count.

Ke et al. 2020, "Group-wise dynamic dropout based on latent semantic variations", algorithm 1.
"""

import torch
from torch import Tensor

from dropover.compute import kernels
from dropover.compute.eigenvectors import SQUARED, leading_axes, leading_axis

_TINY = 1e-5  # a component that is this much shorter than the longest holds rounding, not variation
_WORK = 50  # about how often an entry of the maps is read
_CELLS = 1 << 15  # a grid of up to this many cells fits the processor's cache


def crowding(maps: Tensor, components: int, bins: int) -> Tensor:
    """(N, U), float32, in (0, 1]: the relative density around each unit on its sample's principal axes.

    It is the share of the fullest cell's units that fall in the unit's own cell. `maps` (N, U, D) holds U units as
    observations of D variables; each of the axes, `components` in number, is cut into `bins`.
    """
    samples, units, variables = maps.shape
    if maps.dtype != torch.float64 and variables > 1 and bins**components <= _CELLS:
        compiled = kernels.serving("crowding", maps)
        if compiled is not None:
            maps = maps.detach().to(torch.float32).contiguous()
            density = torch.empty(samples, units, dtype=torch.float32, device="cpu")
            sizes = (samples, units, variables, components, bins)
            compiled.densities(_WORK * maps.numel(), maps.data_ptr(), density.data_ptr(), *sizes)
            return density
    return relative_density(principal_projections(maps, components), bins)


def principal_projections(maps: Tensor, components: int) -> Tensor:
    """(N, U, components): each sample's units on their leading principal axes; `maps` as `crowding` takes them.

    Float32 or better, finite; sign, order and length of an axis carry no meaning. Axes beyond the rank of the
    observations are 0.
    """
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    units, variables = maps.shape[1:]
    if variables == 1 and components == 1:
        # Features are binned as they are. Halved, so that the distance between two of them stays finite.
        return torch.nan_to_num(maps) * 0.5
    # Only ratios matter to what follows, and squares of very large or small maps would leave the range of the dtype.
    largest = torch.maximum(maps.amax((1, 2), keepdim=True), -maps.amin((1, 2), keepdim=True))
    scale = 1 / largest.clamp_min(torch.finfo(maps.dtype).tiny)
    centred = torch.addcmul(maps.mean(dim=1, keepdim=True) * -scale, maps, scale)
    count = min(components, units, variables)
    # The smaller of the two products of the maps with themselves has the same leading eigenvalues.
    project = _one_by_one if min(units, variables) <= SQUARED else _at_once
    # Infinite and NaN maps have spoilt their own sample by now: it has no axes, and its units one cell.
    projected = torch.nan_to_num(project(centred, count), 0, 0, 0)
    length = projected.abs().amax(dim=1, keepdim=True)
    projected = torch.where(length > _TINY * length.amax(dim=2, keepdim=True), projected, 0)
    return projected if count == components else torch.nn.functional.pad(projected, (0, components - count))


def _one_by_one(centred: Tensor, count: int) -> Tensor:
    """Find an axis, take it out of the maps, find the next: no long axis leaves its rounding in a shorter one."""
    rows = []  # products with a row, and reductions along one, are several times as fast as those with a column
    wide = centred.shape[1] < centred.shape[2]
    for index in range(count):
        if wide:
            along = leading_axis(centred @ centred.mT).mT
            axis = along @ centred
            row = along * torch.linalg.vector_norm(axis, dim=2, keepdim=True)
        else:
            axis = leading_axis(centred.mT @ centred).mT
            along = row = axis @ centred.mT
        rows.append(row)
        if index + 1 < count:
            centred = torch.addcmul(centred, along.mT, axis, value=-1)
    return torch.cat(rows, dim=1).mT


def _at_once(centred: Tensor, count: int) -> Tensor:
    """Find all axes together, where each product of the maps is dear."""
    if centred.shape[1] < centred.shape[2]:
        gram = centred @ centred.mT
        projected = gram @ leading_axes(gram, count)
    else:
        projected = centred @ leading_axes(centred.mT @ centred, count)
    # Principal components are orthogonal: take out what rounding has let a long one leave in a shorter one.
    columns = list(torch.split(projected, 1, dim=2))
    for index in range(1, count):
        for longer in columns[:index]:
            share = (longer * columns[index]).sum(dim=1, keepdim=True)
            square = (longer * longer).sum(dim=1, keepdim=True).clamp_min(torch.finfo(longer.dtype).tiny)
            columns[index] = columns[index] - share / square * longer
    return torch.cat(columns, dim=2)


def relative_density(projected: Tensor, bins: int) -> Tensor:
    """The share of the fullest cell's units that fall in each unit's own cell.

    Each component is cut into `bins` equal bins between its least and greatest value over the sample's units; the
    greatest value belongs to the last bin (the paper's formula would give it a bin of its own), and a component
    without extent is one bin. (N, U, k) becomes (N, U), float32, in (0, 1].
    """
    low, high = projected.amin(dim=1, keepdim=True), projected.amax(dim=1, keepdim=True)
    width = (high - low) / bins
    index = ((projected - low) / torch.where(width > 0, width, 1)).floor().clamp(0, bins - 1).long()
    cell = index[..., 0]
    for component in range(1, projected.shape[2]):
        cell = cell * bins + index[..., component]
    count = torch.zeros(cell.shape[0], bins ** projected.shape[2], dtype=torch.float32, device=cell.device)
    count = count.scatter_add(1, cell, torch.ones_like(cell, dtype=count.dtype))
    return count.gather(1, cell) / count.amax(dim=1, keepdim=True)
