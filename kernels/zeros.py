"""Where the zeros of a matrix are, so that products can leave them out.

Four fifths of the pixels of a handwritten digit are 0. So the places are listed where a row is not
0, and a tile of that row runs over its list. A product with 0 adds nothing: the sums keep their
bits. Two rows at a time would need fewer loads, but digits have 0 in the same place in two thirds
of the pixels only: steps of [784, 2048, 2048, 10] took 1.1 times as long.

The list of a row is bytes, of a stretch of at most 128 places: how many there are, and then each of
them. Where neurons are few it is one of all its places, 16 bits each (few_neurons.py); a row that
is alone has one of its vectors that are not 0, as offsets (one_row.py).
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .emit import (
    declare,
    emit_broadcast,
    emit_depth_loop,
    emit_load,
    emit_mask,
    lane_numbers,
    llvm_type,
    VectorType,
)
from .jit import inlined, kernel
from .simd import advance, broadcast, lanes, load, parts, select, sum_lanes
from .target import COMPRESSES_BYTES, VECTOR_BYTES

LIST_BYTES = 160  # 1 + 128, and at most 15 that are written behind the last one
SAMPLES = 4  # rows that tell whether it pays to look for zeros
TABLE_LANES = 8  # without AVX-512: so many numbers are looked at together, as at most fill a vector

_INT = ir.IntType(64)


@intrinsic
def list_of(typingctx, lists, row):
    """Pointer to the list of a row."""

    def emit(context, builder, signature, arguments):
        lists = builder.bitcast(arguments[0], ir.IntType(8).as_pointer())
        return builder.gep(lists, [builder.mul(arguments[1], _INT(LIST_BYTES))])

    return types.CPointer(types.uint8)(lists, types.intp), emit


def _emit_join(builder, masks):
    """One mask of all of their lanes, of a power of two of them."""
    while len(masks) > 1:
        lanes = lane_numbers(list(range(2 * masks[0].type.count)))
        pairs = zip(masks[::2], masks[1::2], strict=True)
        masks = [builder.shuffle_vector(*pair, lanes) for pair in pairs]
    return masks[0]


def _emit_wanted(builder, x, vector, numbers, left=None):
    """For each of so many numbers: whether it is not 0; `left` of them are there.

    Whatever its bits say beside the sign: also where a processor takes subnormal numbers for 0.
    """
    lanes = vector.count
    bits = 8 * VECTOR_BYTES // lanes
    integers = ir.VectorType(ir.IntType(bits), lanes)
    zero, no_sign = (ir.Constant(integers, [k] * lanes) for k in (0, (1 << bits - 1) - 1))
    masks = []
    for first in map(_INT, range(0, numbers, lanes)):
        mask = left and emit_mask(builder, builder.sub(left, first), lanes)
        here = emit_load(builder, builder.gep(x, [first]), vector, mask)
        digits = builder.and_(builder.bitcast(here, integers), no_sign)
        masks.append(builder.icmp_unsigned("!=", digits, zero))
    return _emit_join(builder, masks)


def _emit_write(builder, places, numbers, wanted):
    """Write the wanted ones of consecutive numbers side by side; return how many they are.

    What is written behind them is at most a vector.
    """
    kind, place = numbers.type, places.type.pointee
    bits = builder.bitcast(wanted, ir.IntType(kind.count))
    if VECTOR_BYTES == 64:  # one instruction
        name = f"llvm.x86.avx512.mask.compress.v{kind.count}i{kind.element.width}"
        compress = declare(builder, name, kind, [kind, kind, wanted.type])
        found = builder.call(compress, [numbers, ir.Constant(kind, None), wanted])
        if kind.element != place:
            found = builder.trunc(found, ir.VectorType(place, kind.count))
    else:
        row = builder.gep(_table(builder), [_INT(0), builder.zext(bits, _INT)])
        further = builder.load(row)
        if further.type != kind:
            further = builder.zext(further, kind)
        found = builder.add(numbers, further)
    builder.store(found, builder.bitcast(places, found.type.as_pointer()), align=1)
    return builder.ctpop(builder.zext(bits, _INT) if kind.count < 64 else bits)


def _table(builder):
    """For each mask of TABLE_LANES lanes: how much further on than lane i the i-th true one is.

    To search for one after the other took 515 ns for 784 float32, by AVX2, and this takes 98.
    """
    row, rows = ir.VectorType(ir.IntType(8), TABLE_LANES), []
    for mask in range(1 << TABLE_LANES):
        wanted = [lane for lane in range(TABLE_LANES) if mask >> lane & 1]
        further = [lane - i for i, lane in enumerate(wanted)]
        rows.append(ir.Constant(row, further + [0] * (TABLE_LANES - len(wanted))))
    table = ir.Constant(ir.ArrayType(row, len(rows)), rows)
    return cgutils.global_constant(builder, "places", table)


@intrinsic
def append_places(typingctx, places, count, x, n):
    """Write behind so many places those of n numbers that are not 0; return the new count."""
    vector = llvm_type(VectorType(x.dtype))

    def emit(context, builder, signature, arguments):
        places, count, x, n = arguments
        at_once, lane = vector.count, ir.IntType(8 * VECTOR_BYTES // vector.count)
        if VECTOR_BYTES < 64:
            at_once, lane = TABLE_LANES, places.type.pointee
        elif COMPRESSES_BYTES:  # more at once: the places of 784 float32 in 46 rather than 72 ns
            lane = places.type.pointee
            at_once = 8 * VECTOR_BYTES // lane.width
        first_numbers = ir.Constant(ir.VectorType(lane, at_once), list(range(at_once)))
        step = ir.Constant(first_numbers.type, [at_once] * at_once)

        def emit_append(at, left, count, numbers):
            here = builder.gep(x, [at])
            wanted = _emit_wanted(builder, here, vector, at_once, left)
            found = _emit_write(builder, builder.gep(places, [count]), numbers, wanted)
            return [builder.add(count, found), builder.add(numbers, step)]

        def emit_part(at, left, state):
            """Append those of x[at], ..., of which `left` are there, if any is."""
            some = builder.zext(builder.icmp_signed(">", left, _INT(0)), _INT)
            return emit_depth_loop(builder, some, state, lambda _, s: emit_append(at, left, *s))

        # Most by whole vectors of memory: numpy's large arrays begin in mid-line, and each vector
        # would be read from two lines, 6 % of the time of 784 -> 30.
        behind = builder.and_(builder.neg(builder.ptrtoint(x, _INT)), _INT(VECTOR_BYTES - 1))
        head = builder.udiv(behind, _INT(VECTOR_BYTES // vector.count))
        head = builder.select(builder.icmp_signed("<", head, n), head, n)
        turns = builder.sdiv(builder.sub(n, head), _INT(at_once))
        end = builder.add(head, builder.mul(turns, _INT(at_once)))

        def append_whole(turn, state):
            at = builder.add(head, builder.mul(turn, _INT(at_once)))
            return emit_append(at, None, *state)

        count, _ = emit_part(_INT(0), head, [count, first_numbers])
        skipped = builder.trunc(head, lane) if lane.width < 64 else head
        numbers = builder.add(first_numbers, emit_broadcast(builder, skipped, at_once))
        state = emit_depth_loop(builder, turns, [count, numbers], append_whole)
        return emit_part(end, builder.sub(n, end), state)[0]

    return types.int64(places, types.int64, x, types.intp), emit


@kernel
def list_places(A, lists):
    """Write the lists of all rows of A, whose columns lie side by side."""
    for i in range(A.rows):
        places = list_of(lists, i)
        places[0] = append_places(places, 1, advance(A.data, i * A.row_step), A.columns) - 1


@kernel
def list_row(x, n, places):
    """Write the places where n numbers are not 0; return how many there are."""
    return append_places(places, 0, x, n)


@kernel
def has_zeros(A, share):
    """Whether more than that share of A is 0. Whole vectors of some rows tell."""
    found, one, zero = broadcast(A.data, 0), broadcast(A.data, 1), broadcast(A.data, 0)
    whole = A.columns // lanes(A.data) * lanes(A.data)
    samples = min(SAMPLES, A.rows)
    for sample in range(samples):
        row = parts(sample * (A.rows - 1), samples) * A.row_step
        for k in range(0, whole, lanes(A.data)):
            found = found + select(load(A.data, row + k) == 0, one, zero)
    return sum_lanes(found) > share * samples * whole


@intrinsic
def places_in(typingctx, memory, kind):
    """Memory as a list of places, of one of numpy's kinds of integers."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(kind.dtype.bitwidth).as_pointer())

    return types.CPointer(kind.dtype)(memory, kind), emit


@intrinsic
def any_false(typingctx, mask):
    """1 where some lane is false, else 0."""

    def emit(context, builder, signature, arguments):
        bits = ir.IntType(arguments[0].type.count)
        some = builder.icmp_unsigned("!=", builder.bitcast(arguments[0], bits), bits(-1))
        return builder.zext(some, ir.IntType(64))

    return types.int64(mask), emit


@inlined
def list_vectors(x, whole, places):
    """Write where those of the first `whole` numbers stand that make a vector which is not 0."""
    count = 0
    for k in range(0, whole, lanes(x)):
        places[count] = k
        count += any_false(load(x, k) == 0)
    return count
