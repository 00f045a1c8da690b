"""Selection by one margin per unit made fast: float32 on a CPU, by a compiled kernel.

It computes what `selection` computes by whole-tensor operations, bit for bit, in one pass over memory.
"""

import functools

import torch
from torch import Tensor

from dropover.compute import kernels


def select(
    x: Tensor, margins: Tensor, order: tuple[int, ...] | None, slope: float, scale: float | Tensor
) -> Tensor | None:
    """`scale` · (`slope` · x where a margin is negative, x elsewhere), laid out as `x`; None where no kernel serves.

    Args:
        x: of any shape.
        margins: to be broadcast over `x`; never 0.
        order: the dimensions of `x` from the outermost to the innermost in memory; None for the usual order.
        slope: the factor of a hit unit.
        scale: a number, or a tensor to be broadcast over `x`.
    """
    factors = scale if isinstance(scale, Tensor) and scale.numel() > 1 else None
    if (
        x.dtype != torch.float32
        or margins.dtype != torch.float32
        or margins.ndim != x.ndim
        or (factors is not None and (factors.dtype != torch.float32 or factors.shape != margins.shape))
        or not kernels.serve(x, margins, *([] if factors is None else [factors]))
    ):
        return None
    if order is not None:
        x, margins = x.permute(order), margins.permute(order)
        factors = None if factors is None else factors.permute(order)
    grid = _grid(x.shape, margins.shape)
    compiled = kernels.load("selecting")
    if grid is None or compiled is None:
        return None
    x, margins = x.contiguous(), margins.contiguous()
    result = torch.empty_like(x)
    address, number = 0, 1.0
    if factors is not None:
        factors = factors.contiguous()
        address = factors.data_ptr()
    else:
        number = float(scale)
    compiled.units(
        *(x.numel(), x.data_ptr(), result.data_ptr(), margins.data_ptr(), address, int(factors is not None)),
        *(*grid, slope, number),
    )
    return result if order is None else result.permute(sorted(range(len(order)), key=order.__getitem__))


@functools.lru_cache
def _grid(whole: tuple[int, ...], units: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Four sizes, (outer, repeats, inner, size): a unit is an outer and an inner index; None where it takes more.

    Args:
        whole: the shape of the input in memory.
        units: the same with 1 in each dimension that lies within a unit.
    """
    groups = [(True, 1)]  # neighbouring dimensions between units or within them, as one
    for size, number in zip(whole, units, strict=True):
        if number not in (1, size):
            return None  # an input that is itself broadcast over margins, as `vmap` does it
        if size == 1:
            continue
        if groups[-1][0] == (number > 1):
            groups[-1] = (number > 1, groups[-1][1] * size)
        else:
            groups.append((number > 1, size))
    sizes = [size for _, size in groups]
    if len(sizes) == 1:
        return 1, 1, sizes[0], 1
    if len(sizes) == 2:
        return 1, 1, sizes[0], sizes[1]
    if len(sizes) <= 4:
        return sizes[0], sizes[1], sizes[2], sizes[3] if len(sizes) == 4 else 1
    return None
