"""`compute.masks` and `compute.selection`, bit for bit, in one pass over memory."""

# mypy: ignore-errors
# What numba compiles has the types that numba infers.

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from dropover.compute.hash import FIRST, SECOND, STEP
from dropover.compute.kernels.compiling import compiled, floats, integers, kernel, take

PIECE = 1 << 15  # elements that a thread takes at a time
_STEP, _FIRST, _SECOND = (np.uint32(number % (1 << 32)) for number in (STEP, FIRST, SECOND))
VECTOR = 16
_INTEGER = ir.IntType(32)
_ONE = np.float32(1).view(np.int32)


@compiled
def _halves(key: int) -> tuple[int, int]:
    """The two numbers that a key enters the hash as, as `masks.halves`."""
    high = np.uint32(key >> 32)
    return np.uint32(np.uint32(key) ^ high), high


@compiled
def _word(counter: int, low: int, high: int) -> int:
    """Word number `counter` of a key, as `masks.words`."""
    word = np.uint32(np.uint32(counter) * _STEP + np.uint32(low))
    word = np.uint32(word ^ (word >> np.uint32(16)))
    word = np.uint32(word * _FIRST + np.uint32(high))
    word = np.uint32(word ^ (word >> np.uint32(15)))
    word = np.uint32(word * _SECOND)
    return np.uint32(word ^ (word >> np.uint32(16)))


@compiled
def _select(x, hit, slope, scale):
    """`scale` · (`slope` · x if hit, else x), and 0 if hit and the slope is 0."""
    value = np.float32(x * slope) if slope != 0 else np.float32(0)
    return np.float32((value if hit else x) * scale)


def _repeated(builder, number, count):
    """A vector of `count` times the same number."""
    one = builder.insert_element(ir.Constant(ir.VectorType(number.type, count), ir.Undefined), number, _INTEGER(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INTEGER, count), [0] * count))


def _hashed(builder, start, high):
    """`VECTOR` words, as `_word`; `start` is what the first one's counter has become by its multiplication."""
    vector = ir.VectorType(_INTEGER, VECTOR)

    def constant(number):
        return ir.Constant(vector, [int(number)] * VECTOR)

    def folded(word, shift):
        return builder.xor(word, builder.lshr(word, constant(shift)))

    steps = ir.Constant(vector, [int(_STEP) * index % (1 << 32) for index in range(VECTOR)])
    word = folded(builder.add(_repeated(builder, start, VECTOR), steps), 16)
    word = folded(builder.add(builder.mul(word, constant(_FIRST)), _repeated(builder, high, VECTOR)), 15)
    return folded(builder.mul(word, constant(_SECOND)), 16)


def _by_lanes(zeroing):
    """A function for kernels that selects 2 · `VECTOR` elements by the lanes of as many words, all at once."""

    @intrinsic
    def select(context, x, y, start, high, border, every, slope, scale):
        def generate(context, builder, signature, values):
            source, target, start, high, border, every, slope, scale = values
            count = 2 * VECTOR
            row = ir.VectorType(ir.FloatType(), count)
            lanes = builder.bitcast(_hashed(builder, start, high), ir.VectorType(ir.IntType(16), count))
            lanes = builder.and_(lanes, _repeated(builder, every, count))
            hit = builder.icmp_signed("<", lanes, _repeated(builder, border, count))
            value = builder.load(builder.inttoptr(source, row.as_pointer()), align=4)
            zeros = ir.Constant(row, [0.0] * count)
            other = zeros if zeroing else builder.fmul(value, _repeated(builder, slope, count))
            value = builder.fmul(builder.select(hit, other, value), _repeated(builder, scale, count))
            builder.store(value, builder.inttoptr(target, row.as_pointer()), align=4)
            return context.get_dummy_value()

        word, lane, number = types.uint32, types.int16, types.float32
        return types.void(types.int64, types.int64, word, word, lane, lane, number, number), generate

    return select


_zero_by_lanes, _scale_by_lanes = _by_lanes(zeroing=True), _by_lanes(zeroing=False)


@compiled
def _select_all(x, y, size, first, low, high, border, slope, scale):
    """`elements` on `size` elements at addresses, whose first word has the number `first`."""
    step = 8 * VECTOR
    # A lane is never below a border that a lane can't hold: at a rate of 1, all lanes are taken for 0.
    most = np.int16(min(border, 0x7FFF))
    every = np.int16(-1 if border <= 0x7FFF else 0)
    whole = size // (2 * VECTOR)
    for block in range(whole):
        start = np.uint32(np.uint32(first + VECTOR * block) * _STEP + low)
        if slope == 0:
            _zero_by_lanes(x + step * block, y + step * block, start, high, most, every, slope, scale)
        else:
            _scale_by_lanes(x + step * block, y + step * block, start, high, most, every, slope, scale)
    source, target = carray(floats(x), size), carray(floats(y), size)
    for index in range(2 * VECTOR * whole, size):
        word = _word(first + index // 2, low, high)
        lane = np.int16(word if index % 2 == 0 else word >> np.uint32(16))
        target[index] = _select(source[index], lane < border, slope, scale)


@kernel({"x": "i8", "y": "i8", "count": "i8", "key": "i8", "border": "i4", "slope": "f4", "scale": "f4"})
def elements(arguments):
    """Select x into y, every element by itself: it is hit where its lane is below the border."""
    a = carray(arguments, 1)[0]
    low, high = _halves(a.key)
    while True:
        start = take(arguments) * PIECE
        if start >= a.count:
            break
        size = min(PIECE, a.count - start)
        _select_all(a.x + 4 * start, a.y + 4 * start, size, start // 2, low, high, a.border, a.slope, a.scale)


@compiled
def _fill(y, first, low, high, less):
    """`lanes` of a piece whose first word has the number `first`."""
    for pair in range(y.size // 2):
        word = _word(first + pair, low, high)
        y[2 * pair] = np.float32(np.int16(word)) - less
        y[2 * pair + 1] = np.float32(np.int16(word >> np.uint32(16))) - less
    if y.size % 2 == 1:
        y[y.size - 1] = np.float32(np.int16(_word(first + y.size // 2, low, high))) - less


@kernel({"y": "i8", "count": "i8", "key": "i8", "less": "f4"})
def lanes(arguments):
    """The lanes of a key, less a border, as `masks.margins`."""
    a = carray(arguments, 1)[0]
    low, high = _halves(a.key)
    while True:
        start = take(arguments) * PIECE
        if start >= a.count:
            break
        size = min(PIECE, a.count - start)
        _fill(carray(floats(a.y + 4 * start), size), start // 2, low, high, a.less)


@intrinsic
def _vector(context, x, y, kept, weight, factor):
    """Write (x · weight) · factor to y for `VECTOR` elements at addresses, 0 where the bits `kept` are; no branch."""

    def generate(context, builder, signature, values):
        source, target, *numbers = values
        bits, row = ir.VectorType(_INTEGER, VECTOR), ir.VectorType(ir.FloatType(), VECTOR)
        kept, weight, factor = (_repeated(builder, number, VECTOR) for number in numbers)
        value = builder.load(builder.inttoptr(source, row.as_pointer()), align=4)
        value = builder.fmul(builder.fmul(value, builder.bitcast(weight, row)), factor)
        value = builder.and_(builder.bitcast(value, bits), kept)
        builder.store(value, builder.inttoptr(target, bits.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int32, types.int32, types.float32), generate


@compiled
def _whole_units(x, y, rows, margins, scales, first, repeats, inner, size, slope, scale):
    """`units` on rows of `size` elements that each belong to one unit; `first` is the number of the first row."""
    block, place = divmod(first, inner)
    base, repeat = block // repeats * inner, block % repeats
    total = rows * size
    source, result = carray(floats(x), total), carray(floats(y), total)
    one = _ONE
    other = np.float32(slope).view(np.int32) if slope != 0 else one
    clearing = np.int32(0 if slope != 0 else -1)
    for row in range(rows):
        unit = base + place
        place += 1
        if place == inner:
            place, repeat = 0, repeat + 1
            if repeat == repeats:
                base, repeat = base + inner, 0
        factor = scales[unit] if scales.size > 0 else scale
        # Bits instead of conditions: which unit is hit is what a processor can't guess.
        hit = np.int32(margins[unit] >> np.int32(31))
        kept = np.int32(~(hit & clearing))
        weight = np.int32((hit & other) | (~hit & one))
        start, stop = row * size, row * size + size
        # The last vector of a row may reach into the next row, which comes later and sets that right.
        safe = min(stop, total - VECTOR + 1)
        j = start
        while j < safe:
            _vector(x + 4 * j, y + 4 * j, kept, weight, factor)
            j += VECTOR
        while j < stop:
            value = np.float32(np.float32(source[j] * weight.view(np.float32)) * factor)
            result[j] = value if kept != 0 else np.float32(0)
            j += 1


@compiled
def _neighbouring_units(x, y, rows, margins, first, size, slope, scale):
    """`_whole_units` where each row is the next unit, all of one scale: with small maps a row's own cost counts."""
    one = _ONE
    other = np.float32(slope).view(np.int32) if slope != 0 else one
    clearing = np.int32(0 if slope != 0 else -1)
    vectors, step = size // VECTOR, 4 * VECTOR
    for row in range(rows):
        hit = np.int32(margins[first + row] >> np.int32(31))
        kept, weight = np.int32(~(hit & clearing)), np.int32((hit & other) | (~hit & one))
        for _ in range(vectors):
            _vector(x, y, kept, weight, scale)
            x, y = x + step, y + step


@compiled
def _single_elements(x, y, margins, scales, first, repeats, inner, slope, scale):
    """`units` on elements that each belong to another unit; `first` is the number of the first element."""
    done = 0
    while done < x.size:
        block, place = divmod(first + done, inner)
        unit = block // repeats * inner + place
        size = min(inner - place, x.size - done)
        one, other, margin = x[done : done + size], y[done : done + size], margins[unit : unit + size]
        if scales.size > 0:
            factor = scales[unit : unit + size]
            for j in range(size):
                other[j] = _select(one[j], margin[j] < 0, slope, factor[j])
        else:
            for j in range(size):
                other[j] = _select(one[j], margin[j] < 0, slope, scale)
        done += size


@kernel(
    dict.fromkeys(("x", "y", "margins", "scales", "has_scales", "outer", "repeats", "inner", "size"), "i8")
    | {"slope": "f4", "scale": "f4"}
)
def units(arguments):
    """Select x, of shape (outer, repeats, inner, size), by margins and scales of shape (outer, inner), into y."""
    a = carray(arguments, 1)[0]
    units, rows, size = a.outer * a.inner, a.outer * a.repeats * a.inner, a.size
    margins, scales = carray(floats(a.margins), units), carray(floats(a.scales), units * a.has_scales)
    piece = max(PIECE // size, 1)
    while True:
        start = take(arguments) * piece
        if start >= rows:
            break
        count = min(piece, rows - start)
        x, y = a.x + 4 * start * size, a.y + 4 * start * size
        signs = carray(integers(a.margins), units)
        if a.repeats == 1 and size % VECTOR == 0 and a.has_scales == 0:
            _neighbouring_units(x, y, count, signs, start, size, a.slope, a.scale)
        elif size > 1:
            _whole_units(x, y, count, signs, scales, start, a.repeats, a.inner, size, a.slope, a.scale)
        else:
            one, other = carray(floats(x), count), carray(floats(y), count)
            _single_elements(one, other, margins, scales, start, a.repeats, a.inner, a.slope, a.scale)
