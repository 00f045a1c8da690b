"""The few leading eigenvectors of many small covariances, by matrix products alone.

A full eigendecomposition computes what is not needed, synchronises a GPU and can fail. Two ways do without: repeated
squaring of a small matrix, which makes its leading eigenvector dominate, with deflation for the next ones; and
subspace iteration with a Chebyshev filter on a larger one, where squaring would cost too much. Both separate
eigenvalues that are 5 % apart to about the precision of float32; eigenvalues that are closer give some basis of
nearly the same subspace. Nothing here can fail: a zero matrix gives zero vectors.
"""

import torch
from torch import Tensor

from dropover.compute import masks

SQUARED = 64  # matrices up to this size are better squared
_SQUARINGS = 8  # and one product more make the power 2^9, at which eigenvalues 5 % apart end up 10^10 apart
_GUARD = 5  # vectors beside the wanted ones
_ROUNDS, _DEGREE = 5, 10  # a filter's growth over 50 steps: 10^9 at 5 %
_TINY = torch.finfo(torch.float32).tiny
_NOISE = 1e-6  # eigenvalues below this share of the leading one are rounding
_CONVERGED = 1e-5  # radians, at which an axis is as good as float32 maps let it be


def leading_axis(symmetric: Tensor) -> Tensor:
    """(N, M, 1): the leading eigenvector of positive semi-definite matrices (N, M, M), of length 1, by squaring.

    M is not much above `SQUARED`; a matrix of zeros has a vector of zeros.
    """
    power = symmetric / _size(symmetric)
    for step in range(1, _SQUARINGS + 1):
        power = power @ power
        if step % 3 == 0:  # three squarings stay within float32's range; a square's largest entry is on its diagonal
            power = power / _safe(power.diagonal(dim1=-2, dim2=-1).amax(dim=-1)[:, None, None])
    largest = power.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    axis = power @ power.gather(2, largest[:, None, None].expand(-1, power.shape[1], 1))
    return axis / _safe(torch.linalg.vector_norm(axis, dim=1, keepdim=True))


def leading_axes(symmetric: Tensor, count: int) -> Tensor:
    """(N, M, count): leading eigenvectors of positive semi-definite matrices (N, M, M), by filtered subspace iteration.

    The leading one comes first; they are orthonormal, or 0 beyond the rank. Matrices hold no NaN or infinity. The block
    is held as rows (N, block, M): products with few rows are several times faster than with few columns.
    """
    matrix = symmetric / _size(symmetric)
    size = matrix.shape[-1]
    block = min(size, count + _GUARD)
    # Any start that is not orthogonal to the answer does; a fixed one keeps PyTorch's generator out of it.
    start = masks.normals(torch.zeros((), dtype=torch.int64, device=matrix.device), (block, size))
    rows = start.to(matrix.dtype).expand(len(matrix), -1, -1)
    for _ in range(3):
        rows = _orthonormal(rows @ matrix)
    watched = matrix.device.type == "cpu" and not torch.compiler.is_compiling()
    axes = rows
    for number in range(1, _ROUNDS + 1):
        image = rows @ matrix
        # The unwanted eigenvalues lie below the block's least Rayleigh quotient, but for those the block will catch.
        cut = (rows * image).sum(dim=2).amin(dim=1)[:, None, None]
        rows = _filtered(rows, image, matrix, cut.clamp_min(_NOISE))
        if number == _ROUNDS or watched:
            axes, done = _ritz(rows, matrix, count)
            if watched and bool(done):  # a look at the result costs a CPU nothing, a GPU a synchronisation
                break
    return axes.mT


def _filtered(before: Tensor, image: Tensor, matrix: Tensor, cut: Tensor) -> Tensor:
    """T_degree(2 M / cut - 1) applied to orthonormal rows: bounded below `cut`, steeply growing above.

    Rows are made orthonormal on the way, so that a dominant eigenvalue does not swallow the block; the recurrence is
    linear, and goes on with both of its terms transformed alike.
    """
    factor = 2 / cut
    after = factor * image - before
    for step in range(1, _DEGREE):
        before, after = after, torch.baddbmm(before + 2 * after, after * (2 * factor), matrix, beta=-1)
        if step % 2 == 0 or step == _DEGREE - 1:
            scale = _safe(after.abs().amax(dim=2, keepdim=True))
            before, after = before / scale, after / scale
            triangle = _cholesky(after)
            before = torch.linalg.solve_triangular(triangle, before, upper=False)
            after = torch.linalg.solve_triangular(triangle, after, upper=False)
    return _orthonormal(after)


def _ritz(rows: Tensor, matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The block's best approximations (N, count, M) to the leading eigenvectors, and whether all have converged."""
    image = rows @ matrix
    small = image @ rows.mT
    small = (small + small.mT) / 2
    rotation = _deflated(small, min(count + 1, small.shape[-1])).mT
    axes, images = rotation @ rows, rotation @ image
    value = (axes * images).sum(dim=2, keepdim=True)
    residual = (images - value * axes).norm(dim=2)[:, :count]
    value = value.squeeze(2)
    following = torch.nn.functional.pad(value, (0, 1))[:, 1 : count + 1]
    # An axis is off by its residual over its distance to the next eigenvalue; closer than 5 %, any basis will do.
    distance = torch.maximum(value[:, :count] - following, 0.05 * value[:, :count])
    return axes[:, :count], (residual <= _CONVERGED * distance).all()


def _deflated(matrix: Tensor, count: int) -> Tensor:
    """(N, M, count): leading eigenvectors of small matrices, one by one."""
    axes: list[Tensor] = []
    for _ in range(count):
        axis = leading_axis(matrix)
        axes.append(axis)
        # M - v (Mv)ᵀ - (Mv) vᵀ + λ v vᵀ, which takes rounding of v out to second order.
        image = matrix @ axis
        image = image - axis * (0.5 * (axis.mT @ image))
        matrix = torch.baddbmm(matrix, torch.cat([axis, image], 2), torch.cat([image, axis], 2).mT, alpha=-1)
    return torch.cat(axes, dim=2)


def _orthonormal(rows: Tensor) -> Tensor:
    """The same span with orthonormal rows, by Cholesky; twice would be needed only for rows nearly dependent."""
    rows = rows / _safe(rows.abs().amax(dim=2, keepdim=True))
    solved: Tensor = torch.linalg.solve_triangular(_cholesky(rows), rows, upper=False)
    return solved


def _cholesky(rows: Tensor) -> Tensor:
    """The lower triangle of rows · rowsᵀ, shifted by rounding so that it always exists."""
    gram = (rows @ rows.mT).to(torch.float64)
    shift = 1e-7 * _size(gram)
    gram = gram + shift * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    triangle: Tensor = torch.linalg.cholesky_ex(gram).L.to(rows.dtype)  # the variant that neither checks nor syncs
    return triangle


def _size(matrix: Tensor) -> Tensor:
    """The largest entry: between the leading eigenvalue and an M-th of it."""
    return _safe(matrix.abs().amax((1, 2), keepdim=True))


def _safe(divisor: Tensor) -> Tensor:
    """A divisor that is not 0, for a numerator that is 0 where it was."""
    return divisor.clamp_min(_TINY)
