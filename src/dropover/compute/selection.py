"""Keep or replace: the one elementwise step that every mask ends in, and its derivatives.

PyTorch's boolean masks are slow on a CPU. Here a mask is a float `margin`, negative where a unit is hit, and two of
PyTorch's own fused kernels select by its sign: the backward kernels of `threshold` and of `leaky_relu`. Selecting
instead of multiplying means that an infinite or NaN activation that is dropped leaves 0. Where the mask follows from
the key alone, nothing but the key is kept for the backward pass.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.autograd.function import FunctionCtx

from dropover.compute import elementwise, masks, unitwise
from dropover.compute.hits import Hits

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
    order, margins = _memory_order(x), hits.margins
    if order is not None and margins is not None:
        # The kernels lay their result out as the margins are.
        margins = _permute_back(margins.permute(order).contiguous(), order)
    if hits.key is None:
        assert margins is not None
        hit = torch.zeros_like(x) if slope == 0 else x * slope
        y = torch.where(margins < 0, hit, x)
        return _scaled(y, scale) if isinstance(scale, Tensor) else y * scale
    return _apply(x, hits.key, margins, hits.p, order, slope, scale)


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
    return _permute_back(masks.margins(key, p, tuple(shape[dim] for dim in order)).to(dtype), order)


def laid_out_like(y: Tensor, x: Tensor) -> Tensor:
    """`y`, in the memory layout of `x`."""
    # Not by writing into a tensor like x: vmap refuses that where x is shared by all samples.
    order = _memory_order(x)
    return y.contiguous() if order is None else _permute_back(y.permute(order).contiguous(), order)


def _permute_back(x: Tensor, order: tuple[int, ...]) -> Tensor:
    return x.permute(sorted(range(len(order)), key=order.__getitem__))


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    # In float32 at least: a scale may be beyond float16, and 0 · inf is NaN.
    return (x * scale.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)


def _selected(
    x: Tensor,
    key: Tensor,
    margins: Tensor | None,
    p: float,
    order: tuple[int, ...] | None,
    slope: float,
    scale: float | Tensor,
) -> Tensor:
    """`select` as plain arithmetic, by the fastest way that serves."""
    if margins is None and elementwise.applies(x, scale):
        assert isinstance(scale, float)
        if order is None:
            return elementwise.select(x.contiguous(), key, p, slope, scale)
        return _permute_back(elementwise.select(x.permute(order).contiguous(), key, p, slope, scale), order)
    if margins is not None and (result := unitwise.select(x, margins, order, slope, scale)) is not None:
        return result
    # A margin's sign survives rounding to the input's dtype: none is smaller than 1/2.
    margin = element_margins(key, p, x.shape, order, x.dtype) if margins is None else margins.to(x.dtype)
    y: Tensor = _threshold(x, margin, 0.0) if slope == 0 else _leaky(x, margin, slope, False)
    if isinstance(scale, Tensor):
        in_place = y.dtype == scale.dtype and scale.numel() <= y.numel()
        return y.mul_(scale) if in_place else _scaled(y, scale)
    return y if scale == 1 else y.mul_(scale)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, key, margins, p, order, slope, scale = inputs
    tensor_scale = scale if isinstance(scale, Tensor) else None
    ctx.save_for_backward(key, margins, tensor_scale)
    ctx.save_for_forward(key, margins, tensor_scale)
    ctx.settings = (p, order, slope, None if tensor_scale is not None else scale)


class _Select(torch.autograd.Function):
    """`_selected` with its own derivatives. It is linear in x: the backward pass is the same step on the gradient."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        y = _selected(*inputs)
        _keep(ctx, inputs, y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _again(ctx, gradients[0]), None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        assert tangents[0] is not None
        return _again(ctx, tangents[0])


class _SelectUnderTransforms(torch.autograd.Function):
    """The same in the form that `vmap` and the compiler ask for, which costs PyTorch a signature in every call."""

    forward = staticmethod(_selected)
    setup_context = staticmethod(_keep)
    backward = staticmethod(_Select.backward)
    jvp = staticmethod(_Select.jvp)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        x, key, margins, p, order, slope, scale = inputs
        if in_dims[0] is not None:
            x = x.movedim(in_dims[0], 0)
        sample = x.shape[0 if in_dims[0] is None else 1 :]

        def over_samples(value: Tensor, dim: int | None) -> Tensor:
            """One dimension for the samples, then as many as `x` has."""
            value = value.unsqueeze(0) if dim is None else value.movedim(dim, 0)
            return value.reshape(value.shape[0], *[1] * (len(sample) + 1 - value.ndim), *value.shape[1:])

        if margins is not None:
            margins = over_samples(margins, in_dims[2])
        elif in_dims[1] is None:
            margins = element_margins(key, p, sample, order, x.dtype).unsqueeze(0)
        else:
            margins = torch.vmap(lambda one: element_margins(one, p, sample, order, x.dtype), in_dims[1])(key)
        if isinstance(scale, Tensor):
            scale = over_samples(scale, in_dims[6])
        x = over_samples(x, None if in_dims[0] is None else 0)
        return _SelectUnderTransforms.apply(x, key, margins, p, None, slope, scale), 0


def _again(ctx: FunctionCtx, x: Tensor) -> Tensor:
    key, margins, tensor_scale = ctx.saved_tensors  # type: ignore[attr-defined]
    p, order, slope, scale = ctx.settings  # type: ignore[attr-defined]
    return _apply(x, key, margins, p, order, slope, scale if tensor_scale is None else tensor_scale)


def _apply(x: Tensor, *settings: Any) -> Tensor:
    """`_selected`, recorded where a derivative may be asked for."""
    result: Tensor
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        result = _SelectUnderTransforms.apply(x, *settings)
    elif (x.requires_grad and torch.is_grad_enabled()) or forward_ad._current_level >= 0:
        result = _Select.apply(x, *settings)
    else:
        result = _selected(x, *settings)
    return result
