"""Keep or replace: the one elementwise step that every mask ends in, and its derivatives.

PyTorch's boolean masks are slow on a CPU. Here a mask is a float `margin`, negative where a unit is hit, and two of
PyTorch's own fused kernels select by its sign: the backward kernels of `threshold` and of `leaky_relu`. Selecting
instead of multiplying means that an infinite or NaN activation that is dropped leaves 0. Where the mask follows from
the key alone, nothing but the key is kept for the backward pass. Compiled kernels do the same, bit for bit, for
float32 on a CPU, in one pass over memory.
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from dropover.compute import kernels, masks
from dropover.compute.hits import Hits
from dropover.compute.pieces import select_by_pieces

_threshold = torch.ops.aten.threshold_backward.default
_leaky = torch.ops.aten.leaky_relu_backward.default


def select(x: Tensor, hits: Hits, slope: float, scale: float | Tensor, order: tuple[int, ...] | None = None) -> Tensor:
    """`scale` · (`slope` · x where hit, x elsewhere); exactly 0 where hit and the slope is 0.

    Args:
        x: activations of any shape and real floating dtype; dtype and memory layout are kept.
        hits: which units are hit.
        slope: the factor of a hit unit.
        scale: a number, or a tensor to be broadcast over `x`, that no gradient flows to.
        order: the dimensions from the outermost to the innermost in memory, empty for the usual order; by default those
            of `x`. Masks follow memory, not indices: reading one across a differently ordered tensor would cost more
            than making it.
    """
    margins = hits.margins
    if order is None:
        order = () if x.is_contiguous() else _memory_order(x)
    if order and margins is not None:
        # The kernels lay their result out as the margins are.
        margins = _permute_back(margins.permute(order).contiguous(), order)
    if hits.key is None:
        assert margins is not None
        hit = torch.zeros_like(x) if slope == 0 else x * slope
        y = torch.where(margins < 0, hit, x)
        return _scaled(y, scale) if isinstance(scale, Tensor) else y * scale
    function: Any = _selected
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        function = _SelectUnderTransforms.apply
    elif (x.requires_grad and torch.is_grad_enabled()) or forward_ad._current_level >= 0:
        function = _Select.apply
    factors, number = (scale, 1.0) if isinstance(scale, Tensor) else (None, scale)
    result: Tensor = function(x, hits.key, margins, factors, hits.p, order, slope, number)
    return result


def laid_out_like(y: Tensor, x: Tensor) -> Tensor:
    """`y`, in the memory layout of `x`."""
    # Not by writing into a tensor like x: vmap refuses that where x is shared by all samples.
    if x.is_contiguous():
        return y.contiguous()
    order = _memory_order(x)
    return _permute_back(y.permute(order).contiguous(), order)


def _memory_order(x: Tensor) -> tuple[int, ...]:
    strides = x.stride()
    return tuple(sorted(range(x.ndim), key=lambda dim: -strides[dim]))


def _permute_back(x: Tensor, order: tuple[int, ...]) -> Tensor:
    return x.permute(sorted(range(len(order)), key=order.__getitem__))


def _scaled(x: Tensor, scale: Tensor) -> Tensor:
    # In float32 at least: a scale may be beyond float16, and 0 · inf is NaN.
    return (x * scale.to(torch.promote_types(x.dtype, torch.float32))).to(x.dtype)


def _selected(
    x: Tensor,
    key: Tensor,
    margins: Tensor | None,
    factors: Tensor | None,
    p: float,
    order: tuple[int, ...],
    slope: float,
    number: float,
) -> Tensor:
    """`select` as plain arithmetic, by the fastest way that serves; the scale is `factors`, or else `number`."""
    if margins is None:
        return _elements(x, key, factors, p, order, slope, number)
    each = factors if factors is not None and factors.numel() > 1 else None  # one for each unit
    if (
        x.dtype == margins.dtype == torch.float32
        and margins.ndim == x.ndim
        and (each is None or (each.dtype == torch.float32 and each.shape == margins.shape))
        and (compiled := kernels.serving("selecting", x, margins, *([] if each is None else [each])))
    ):
        source, signs = (x.permute(order), margins.permute(order)) if order else (x, margins)
        grid = _grid(source.shape, signs.shape)
        if grid is not None:
            source, signs, address = source.contiguous(), signs.contiguous(), 0
            if each is not None:
                each = (each.permute(order) if order else each).contiguous()
                address = each.data_ptr()
            elif factors is not None:
                number = float(factors)
            y = torch.empty_like(source)
            addresses = (source.data_ptr(), y.data_ptr(), signs.data_ptr(), address, int(each is not None))
            compiled.units(x.numel(), *addresses, *grid, slope, number)
            return _permute_back(y, order) if order else y
    # A margin's sign survives rounding to the input's dtype: none is smaller than 1/2.
    return _by_torch(x, margins.to(x.dtype), factors, slope, number)


def _elements(
    x: Tensor, key: Tensor, factors: Tensor | None, p: float, order: tuple[int, ...], slope: float, number: float
) -> Tensor:
    """The same where every element is hit with the rate `p`."""
    plain = type(x) is Tensor and x.device.type == "cpu" and x.dtype == torch.float32
    if not plain or factors is not None or torch.compiler.is_compiling():
        return _by_torch(x, _element_margins(key, p, x.shape, order, x.dtype), factors, slope, number)
    x = x.permute(order).contiguous() if order else x.contiguous()
    y = torch.empty_like(x)
    border = round(p * masks.LEVELS) - masks.LEVELS // 2  # the least lane that is not hit
    if compiled := kernels.serving("selecting", x, key):
        count = x.numel()
        compiled.elements(count, x.data_ptr(), y.data_ptr(), count, int(key), border, slope, number)
    else:
        select_by_pieces(x, y, key, border - 0.5, slope, number)
    return _permute_back(y, order) if order else y


def _by_torch(x: Tensor, margins: Tensor, factors: Tensor | None, slope: float, number: float) -> Tensor:
    y: Tensor = _threshold(x, margins, 0.0) if slope == 0 else _leaky(x, margins, slope, False)
    if factors is None:
        return y if number == 1 else y.mul_(number)
    in_place = y.dtype == factors.dtype and factors.numel() <= y.numel()
    return y.mul_(factors) if in_place else _scaled(y, factors)


def _element_margins(
    key: Tensor, p: float, shape: tuple[int, ...], order: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    """One margin per element, laid out in memory as the input is, in the input's dtype."""
    if not order:
        return masks.margins(key, p, tuple(shape)).to(dtype)
    return _permute_back(masks.margins(key, p, tuple(shape[dim] for dim in order)).to(dtype), order)


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
    if len(sizes) <= 2:
        return 1, 1, sizes[0], sizes[1] if len(sizes) == 2 else 1
    if len(sizes) <= 4:
        return sizes[0], sizes[1], sizes[2], sizes[3] if len(sizes) == 4 else 1
    return None


class _Select(torch.autograd.Function):
    """`_selected` with its own derivatives. It is linear in x: the backward pass is the same step on the gradient."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[1:4])
        ctx.save_for_forward(*inputs[1:4])
        ctx.settings = inputs[4:]
        return _selected(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _again(ctx, gradients[0]), None, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        assert tangents[0] is not None
        return _again(ctx, tangents[0])


def _again(ctx: Any, x: Tensor) -> Tensor:
    key, margins, factors = ctx.saved_tensors
    p, order, slope, number = ctx.settings
    return select(x, Hits(key, margins, p), slope, number if factors is None else factors, order)


class _SelectUnderTransforms(torch.autograd.Function):
    """The same in the form that `vmap` and the compiler ask for, which costs PyTorch a signature in every call."""

    forward = staticmethod(_selected)
    backward = staticmethod(_Select.backward)
    jvp = staticmethod(_Select.jvp)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:4])
        ctx.save_for_forward(*inputs[1:4])
        ctx.settings = inputs[4:]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        x, key, margins, factors, p, order, slope, number = inputs
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
            margins = _element_margins(key, p, sample, order, x.dtype).unsqueeze(0)
        else:
            margins = torch.vmap(lambda one: _element_margins(one, p, sample, order, x.dtype), in_dims[1])(key)
        if factors is not None:
            factors = over_samples(factors, in_dims[3])
        x = over_samples(x, None if in_dims[0] is None else 0)
        return _SelectUnderTransforms.apply(x, key, margins, factors, p, (), slope, number), 0
