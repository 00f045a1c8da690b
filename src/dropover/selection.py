"""Keep or replace: the one elementwise step that every mask ends in, and its derivatives.

PyTorch's boolean masks are slow on a CPU. Here a mask is a float `margin`, negative where a unit is hit, and two of
PyTorch's own fused kernels select by its sign: the backward kernels of `threshold` and of `leaky_relu`. Selecting
instead of multiplying means that an infinite or NaN activation that is dropped leaves 0. Where the mask follows from
the key alone, nothing but the key is kept for the backward pass.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from dropover import masks
from dropover.draws import Hits

_threshold = torch.ops.aten.threshold_backward.default
_leaky = torch.ops.aten.leaky_relu_backward.default


def select(x: Tensor, hits: Hits, slope: float, scale: float | Tensor) -> Tensor:
    """`scale` · (`slope` · x where hit, x elsewhere); exactly 0 where hit and the slope is 0.

    Args:
        x: activations of any shape and real floating dtype; dtype and memory layout are kept.
        hits: which units are hit.
        slope: the factor of a hit unit.
        scale: a number, or a tensor to be broadcast over `x`, that no gradient flows to.
    """
    if hits.key is None:
        assert hits.margins is not None
        hit = torch.zeros_like(x) if slope == 0 else x * slope
        return torch.where(hits.margins < 0, hit, x) * (scale.to(x.dtype) if isinstance(scale, Tensor) else scale)
    result: Tensor = _Select.apply(x, hits.key, hits.margins, hits.p, _memory_order(x), slope, scale)
    return result


def _memory_order(x: Tensor) -> tuple[int, ...] | None:
    """The dimensions from the outermost to the innermost in memory; None for the usual order."""
    if x.is_contiguous():
        return None
    strides = x.stride()
    return tuple(sorted(range(x.ndim), key=lambda dim: -strides[dim]))


def element_margins(
    key: Tensor, p: float, shape: torch.Size, order: tuple[int, ...] | None, dtype: torch.dtype
) -> Tensor:
    """One margin per element, laid out in memory as the input is, in the input's dtype.

    Masks follow memory, not indices: reading one across a differently ordered tensor would cost more than making it.
    """
    if order is None:
        return masks.margins(key, p, tuple(shape)).to(dtype)
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return masks.margins(key, p, tuple(shape[dim] for dim in order)).to(dtype).permute(inverse)


class _Select(torch.autograd.Function):
    """`select` with its own derivatives. It is linear in x: the backward pass is the same step on the gradient."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor,
        key: Tensor,
        margins: Tensor | None,
        p: float,
        order: tuple[int, ...] | None,
        slope: float,
        scale: float | Tensor,
    ) -> Tensor:
        # A margin's sign survives rounding to the input's dtype: none is smaller than 1/2.
        margin = element_margins(key, p, x.shape, order, x.dtype) if margins is None else margins.to(x.dtype)
        y: Tensor = _threshold(x, margin, 0.0) if slope == 0 else _leaky(x, margin, slope, False)
        if isinstance(scale, Tensor):
            return y * scale.to(y.dtype)
        return y if scale == 1 else y.mul_(scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, key, margins, p, order, slope, scale = inputs
        tensor_scale = scale if isinstance(scale, Tensor) else None
        ctx.save_for_backward(key, margins, tensor_scale)
        ctx.save_for_forward(key, margins, tensor_scale)
        ctx.settings = (p, order, slope, None if tensor_scale is not None else scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _again(ctx, gradients[0]), None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        assert tangents[0] is not None
        return _again(ctx, tangents[0])


def _again(ctx: FunctionCtx, x: Tensor) -> Tensor:
    key, margins, tensor_scale = ctx.saved_tensors  # type: ignore[attr-defined]
    p, order, slope, scale = ctx.settings  # type: ignore[attr-defined]
    result: Tensor = _Select.apply(x, key, margins, p, order, slope, scale if tensor_scale is None else tensor_scale)
    return result
