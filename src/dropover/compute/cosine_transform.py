"""The orthonormal discrete cosine transform (DCT-II) of maps, by one matrix product per dimension."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def dct_basis(size: int, device: torch.device | None = None) -> Tensor:
    """(size, size), float64: row k is the k-th cosine; rows and columns are orthonormal."""
    position = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    frequency = torch.arange(size, dtype=torch.float64, device=device).unsqueeze(1)
    basis = torch.cos(frequency * position * (math.pi / size)) * math.sqrt(2 / size)
    return torch.where(frequency == 0, math.sqrt(1 / size), basis)


def to_spectrum(x: Tensor, dims: Sequence[int], inverse: bool = False) -> Tensor:
    """The DCT-II of `x` over `dims`, or its inverse, of the same shape, in float32 or better."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    # Autocast would compute the products in half precision.
    with torch.autocast(x.device.type, enabled=False):
        for dim in dims:
            basis = dct_basis(x.shape[dim], x.device)
            x = torch.tensordot(x, (basis.mT if inverse else basis).to(x.dtype), dims=([dim], [1])).movedim(-1, dim)
    return x


def from_spectrum(coefficients: Tensor, dims: Sequence[int]) -> Tensor:
    """The inverse of `to_spectrum`."""
    return to_spectrum(coefficients, dims, inverse=True)
