"""The relative density of units around each unit, sample by sample in the processor's cache.

The same as `compute.density`, by another way to the axes: the Lanczos method finds the longest axis of the centred
maps, which is then taken out of them, and so for the next. Two axes of equal length are found as well as others,
because each search is one for the longest of what is left.
"""

# mypy: ignore-errors
# What numba compiles has the types that numba infers.

import math

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from dropover.compute.kernels.compiling import compiled, floats, integers, kernel, summing, take

_FEW = 32  # variables up to which their covariance is formed: it then fits the fastest cache
_ROWS = 32  # of float64 at a time, from which a covariance is summed
_LANES = 16  # rows are filled up with zeros to a multiple of this
_STEPS = 60  # of the Lanczos method, after which it begins again from what it has found
_STARTS = 4
_ALIKE = 3e-4  # of an eigenvalue: the residual that is left where the next eigenvalue is within 4 %
_INFINITE = 0x7F800000
_LEAST = float(np.finfo(np.float32).tiny)
_TINY = 1e-5  # as in `dropover.compute.density`: an axis that is this much shorter than the longest holds rounding


@compiled
def _largest(bits):
    """The bits of the largest magnitude: whole numbers are ordered as the floats are, with infinity and NaN on top."""
    largest = np.int32(0)
    for i in range(bits.size):
        number = np.int32(bits[i] & np.int32(0x7FFFFFFF))
        largest = max(number, largest)
    return largest


@summing
def _centre(x, scale, mean, table, tall):
    """Fill `table` with a sample's maps, multiplied by `scale` and centred over units."""
    units, variables = x.shape
    mean[:] = 0
    whole = units // 4 * 4
    for u in range(0, whole, 4):
        a, b, c, d = x[u], x[u + 1], x[u + 2], x[u + 3]
        for j in range(variables):
            mean[j] += (np.float64(a[j]) + np.float64(b[j])) + (np.float64(c[j]) + np.float64(d[j]))
    for u in range(whole, units):
        for j in range(variables):
            mean[j] += x[u, j]
    for j in range(variables):
        mean[j] *= scale / units
    if tall:
        for u in range(units):
            for j in range(variables):
                table[u, j] = np.float32(x[u, j] * scale - mean[j])
    else:
        for j in range(variables):
            for u in range(units):
                table[j, u] = np.float32(x[u, j] * scale - mean[j])


@intrinsic
def _add_block(context, target, row, column, count, step):
    """Add the products of `count` rows with themselves to a block of four rows and 16 columns, float64.

    Addresses: of the block, of the first row's entries for the block's rows, of its entries for the block's columns;
    `step` bytes lie between neighbouring rows of both.
    """

    def generate(context, builder, signature, values):
        target, row, column, count, step = values
        number, wide = ir.DoubleType(), ir.VectorType(ir.DoubleType(), 16)
        first, same = ir.Constant(ir.IntType(32), 0), ir.Constant(ir.VectorType(ir.IntType(32), 16), [0] * 16)

        def address(start, rows, entries=0):
            moved = builder.add(start, builder.mul(step, step.type(rows)))
            return builder.add(moved, step.type(8 * entries))

        pointers = [builder.inttoptr(address(target, i), wide.as_pointer()) for i in range(4)]
        totals = [cgutils.alloca_once_value(builder, builder.load(pointer, align=8)) for pointer in pointers]
        with cgutils.for_range(builder, count, intp=count.type) as loop:
            moved = builder.mul(loop.index, step)
            entries = builder.load(builder.inttoptr(builder.add(column, moved), wide.as_pointer()), align=8)
            for i, total in enumerate(totals):
                factor = builder.load(builder.inttoptr(address(builder.add(row, moved), 0, i), number.as_pointer()))
                one = builder.insert_element(ir.Constant(wide, ir.Undefined), factor, first)
                product = builder.fmul(builder.shuffle_vector(one, one, same), entries, flags=("contract",))
                builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
        for total, pointer in zip(totals, pointers, strict=True):
            builder.store(builder.load(total), pointer, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, types.int64), generate


@compiled
def _covariance(table, wide, matrix):
    """tableᵀ · table in float64; `wide` is room for some rows."""
    matrix[:] = 0
    width = matrix.shape[1]
    source, target, step = wide.ctypes.data, matrix.ctypes.data, 8 * width
    for row in range(0, table.shape[0], wide.shape[0]):
        count = min(wide.shape[0], table.shape[0] - row)
        for k in range(count):
            for j in range(width):
                wide[k, j] = table[row + k, j]
        for i in range(0, matrix.shape[0], 4):
            for j in range(0, width, 16):
                _add_block(target + i * step + 8 * j, source + 8 * i, source + 8 * j, count, step)


@summing
def _dot(one, other):
    total = one[0] * other[0]
    for j in range(1, one.size):
        total += one[j] * other[j]
    return total


@intrinsic
def _add_product(context, rows, count, vector, result, width):
    """Add rowsᵀ · rows · vector to `result`, four rows at a time, float32.

    Addresses of contiguous memory; `count` is a multiple of four, `width` of `_LANES`.
    """

    def generate(context, builder, signature, values):
        rows, count, vector, result, width = values
        wide, zero = ir.VectorType(ir.FloatType(), _LANES), count.type(0)
        stride = builder.mul(width, width.type(4))

        def pointer(start, j):
            return builder.inttoptr(builder.add(start, builder.shl(j, j.type(2))), wide.as_pointer())

        def multiplied(a, b, more):
            return builder.fadd(more, builder.fmul(a, b, flags=("contract",)), flags=("contract",))

        def summed(vector):
            size = _LANES
            while size > 1:
                size //= 2
                halves = [ir.Constant(ir.VectorType(ir.IntType(32), size), [*range(k, k + size)]) for k in (0, size)]
                vector = builder.fadd(*(builder.shuffle_vector(vector, vector, half) for half in halves))
            same = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
            return builder.shuffle_vector(vector, vector, same)

        sums = [cgutils.alloca_once(builder, wide) for _ in range(4)]
        with cgutils.for_range_slice(builder, zero, count, count.type(4)) as (row, _):
            start = builder.add(rows, builder.mul(row, stride))
            starts = [builder.add(start, builder.mul(stride, stride.type(k))) for k in range(4)]
            for total in sums:
                builder.store(ir.Constant(wide, [0.0] * _LANES), total)
            with cgutils.for_range_slice(builder, zero, width, width.type(_LANES)) as (j, _):
                factor = builder.load(pointer(vector, j), align=4)
                for start, total in zip(starts, sums, strict=True):
                    entries = builder.load(pointer(start, j), align=4)
                    builder.store(multiplied(entries, factor, builder.load(total)), total)
            factors = [summed(builder.load(total)) for total in sums]
            with cgutils.for_range_slice(builder, zero, width, width.type(_LANES)) as (j, _):
                more = builder.load(pointer(result, j), align=4)
                for start, factor in zip(starts, factors, strict=True):
                    more = multiplied(builder.load(pointer(start, j), align=4), factor, more)
                builder.store(more, pointer(result, j), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, types.int64), generate


@compiled
def _product(rows, vector, result):
    """rowsᵀ · rows · vector, each row read once from memory."""
    result[:] = 0
    _add_product(rows.ctypes.data, rows.shape[0], vector.ctypes.data, result.ctypes.data, vector.size)


@summing
def _symmetric_product(matrix, count, vector, result):
    result[:] = 0
    for i in range(count):
        factor = vector[i]
        for j in range(vector.size):
            result[j] += factor * matrix[i, j]


@compiled
def _ritz(diagonal, beside, count, vector):
    """The largest eigenvalue of a tridiagonal matrix; its eigenvector of length 1 into `vector`.

    Laguerre's method comes down from above all eigenvalues and can't pass the largest. Entries of the eigenvector
    follow from their ratios, from the end.
    """
    point = 0.0
    for i in range(count):
        around = (beside[i - 1] if i > 0 else 0.0) + (beside[i] if i < count - 1 else 0.0)
        point = max(point, diagonal[i] + around)
    least = 1e-16 * point + 1e-300
    for _ in range(40):
        pivot = first = second = 1.0
        slope = bend = 0.0
        for i in range(count - 1, -1, -1):
            if i == count - 1:
                pivot, first, second = point - diagonal[i], 1.0, 0.0
            else:
                square = beside[i] * beside[i]
                inverse = 1 / pivot
                ratio = first * inverse
                share = square * inverse
                second = share * (second * inverse - 2 * ratio * ratio)
                pivot, first = point - diagonal[i] - share, 1 + share * ratio
            pivot = max(pivot, least)
            relative = first / pivot
            slope += relative
            bend += relative * relative - second / pivot
        root = math.sqrt(max((count - 1) * (count * bend - slope * slope), 0.0))
        step = count / (slope + root)
        point -= step
        if step <= 1e-15 * point:
            break
    pivot = 0.0
    for i in range(count - 1, -1, -1):
        pivot = point - diagonal[i] - (beside[i] * vector[i + 1] if i < count - 1 else 0.0)
        if i > 0:
            vector[i] = beside[i - 1] / max(pivot, least)  # of the entry before
    vector[0] = 1.0
    total = 1.0
    for i in range(1, count):
        vector[i] *= vector[i - 1]
        total += vector[i] * vector[i]
    length = 1 / math.sqrt(total)
    for i in range(count):
        vector[i] *= length
    return point


@compiled
def _above(diagonal, beside, count, border):
    """How many eigenvalues of a tridiagonal matrix are above a border, by Sturm's sequence."""
    number = 0
    pivot = 1.0
    for i in range(count):
        square = beside[i - 1] * beside[i - 1] if i > 0 else 0.0
        pivot = diagonal[i] - border - square / (pivot if pivot != 0 else _LEAST)
        number += pivot > 0
    return number


@summing
def _longest(rows, covariance, few, size, basis, image, axis, tolerance):
    """The leading eigenvector of rowsᵀ · rows into `axis`, of length 1, by the Lanczos method."""
    diagonal, beside, entries = np.empty(_STEPS + 1), np.empty(_STEPS + 1), np.empty(_STEPS + 2)
    steps = min(_STEPS, size)
    state = np.uint32(1)
    for j in range(size):  # any start will do that isn't orthogonal to the answer
        state = np.uint32(state * np.uint32(1664525) + np.uint32(1013904223))
        axis[j] = np.float64(state >> np.uint32(8)) / (1 << 23) - 1
    pause = 8 if few else 4  # steps between looks: where steps are cheap, a look costs more than they do
    for _ in range(_STARTS):
        length = 1 / math.sqrt(_dot(axis, axis))
        for j in range(axis.size):
            basis[0, j] = axis[j] * length
        value = allowed = 0.0
        count = 0
        for step in range(steps):
            if few:
                _symmetric_product(covariance, size, basis[step], image)
            else:
                _product(rows, basis[step], image)
            # Against all vectors, not only the last two: rounding would bring found directions back.
            for before in range(step, -1, -1):
                vector = basis[before]
                share = _dot(vector, image)
                if before == step:
                    diagonal[step] = share
                for j in range(image.size):
                    image[j] -= share * vector[j]
            beside[step] = math.sqrt(_dot(image, image))
            value = max(value, diagonal[step])
            count = step + 1
            ended = count == steps or not beside[step] > tolerance * value
            if ended or (count >= 12 and count % pause == 0):
                value = _ritz(diagonal, beside, count, entries)
                # Where the next axis is about as long, neither is the right one: their plane is.
                alike = _above(diagonal, beside, count, 0.96 * value) > 1
                allowed = max(tolerance, _ALIKE) if alike else tolerance
                if ended or beside[step] * abs(entries[step]) <= allowed * value:
                    break
            length = 1 / beside[step]
            for j in range(image.size):
                basis[count, j] = image[j] * length
        axis[:] = 0
        for index in range(count):
            share = entries[index]
            for j in range(axis.size):
                axis[j] += share * basis[index, j]
        if count < _STEPS or beside[count - 1] * abs(entries[count - 1]) <= allowed * value:
            break
    length = 1 / math.sqrt(_dot(axis, axis))
    for j in range(axis.size):
        axis[j] *= length
    return value


@summing
def _take_out(covariance, size, axis, image):
    """Take an eigenvector out of a matrix, its rounding to second order."""
    _symmetric_product(covariance, size, axis, image)
    half = 0.5 * _dot(axis, image)
    for j in range(axis.size):
        image[j] -= half * axis[j]
    for i in range(size):
        for j in range(axis.size):
            covariance[i, j] -= axis[i] * image[j] + image[i] * axis[j]


@summing
def _along(rows, axis, result):
    """The length of rows · axis, which goes into `result`."""
    total = 0.0
    for row in range(rows.shape[0]):
        value = _dot(rows[row], axis)
        result[row] = value
        total += np.float64(value) * value
    return math.sqrt(total)


@compiled
def _share_cells(projected, units, bins, cells, counts, density):
    """`relative_density` of one sample; `projected` has a row for each component."""
    components = projected.shape[0]
    cells[:] = 0
    counts[:] = 0
    for k in range(components):
        row = projected[k]
        low = high = row[0]
        for u in range(1, units):
            low, high = min(low, row[u]), max(high, row[u])
        width = np.float32((high - low) / np.float32(bins))
        if not width > 0:
            width = np.float32(1)
        for u in range(units):
            place = np.int32(np.float32((row[u] - low) / width))
            cells[u] = cells[u] * bins + max(min(place, bins - 1), 0)
    most = 0
    for u in range(units):
        counts[cells[u]] += 1
        most = max(most, counts[cells[u]])
    for u in range(units):
        density[u] = np.float32(np.float32(counts[cells[u]]) / np.float32(most))


@kernel(dict.fromkeys(("x", "density", "samples", "units", "variables", "components", "bins"), "i8"))
def densities(arguments):
    """The relative density (samples, units) of contiguous maps (samples, units, variables)."""
    a = carray(arguments, 1)[0]
    tall = a.units >= a.variables
    rows = (max(a.units, a.variables) + 3) // 4 * 4
    size = min(a.units, a.variables)
    width = (size + _LANES - 1) // _LANES * _LANES
    few = size <= _FEW
    table, mean = np.zeros((rows, width), dtype=np.float32), np.empty(a.variables)
    covariance, wide = np.empty(((size + 3) // 4 * 4 if few else 0, width)), np.empty((_ROWS, width))
    fine, coarse = np.empty((_STEPS + 1 if few else 1, width)), np.empty((1 if few else _STEPS + 1, width), np.float32)
    fine_image, fine_axis = np.empty(width), np.zeros(width)
    image, axis = np.empty(width, dtype=np.float32), np.zeros(width, dtype=np.float32)
    along = np.empty(rows, dtype=np.float32)
    projected = np.empty((a.components, a.units), dtype=np.float32)
    cells, counts = np.empty(a.units, dtype=np.int32), np.empty(a.bins**a.components, dtype=np.int32)
    while True:
        sample = take(arguments)
        if sample >= a.samples:
            break
        start, shape = a.x + 4 * sample * a.units * a.variables, (a.units, a.variables)
        density = carray(floats(a.density + 4 * sample * a.units), a.units)
        projected[:] = 0
        largest = _largest(carray(integers(start), a.units * a.variables))
        if largest < _INFINITE:
            # Only ratios matter, and squares of very large or small maps would leave float32's range.
            scale = 1 / max(np.float64(np.int32(largest).view(np.float32)), _LEAST)
            _centre(carray(floats(start), shape), scale, mean, table, tall)
            if few:
                _covariance(table, wide, covariance)
            longest = np.float32(0)
            for k in range(min(a.components, size)):
                if few:
                    value = _longest(table, covariance, True, size, fine, fine_image, fine_axis, 1e-10)
                    for j in range(width):
                        axis[j] = fine_axis[j]
                else:
                    value = _longest(table, covariance, False, size, coarse, image, axis, 5e-7)
                if not math.sqrt(max(value, 0.0)) > _TINY * longest:
                    break  # nothing but rounding is left
                length = _along(table, axis, along)
                greatest = np.float32(0)
                for u in range(a.units):
                    place = along[u] if tall else np.float32(axis[u] * length)
                    projected[k, u] = place
                    greatest = max(greatest, abs(place))
                longest = max(longest, greatest)
                if not greatest > _TINY * longest:
                    projected[k] = 0
                if k + 1 < min(a.components, size):
                    if few:
                        _take_out(covariance, size, fine_axis, fine_image)
                    else:
                        for row in range(rows):
                            for j in range(width):
                                table[row, j] -= along[row] * axis[j]
        _share_cells(projected, a.units, a.bins, cells, counts, density)
