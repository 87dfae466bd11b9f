"""Where the zeros of a matrix are, so that products can leave them out.

Four fifths of the pixels of a handwritten digit are 0, and two digits have 0 in the same place in
two thirds of them. So the places are listed where a pair of rows is not 0, and a tile of these two
rows runs over its list. A product with 0 adds nothing: the sums keep their bits. More rows at a
time would need fewer loads, but have fewer zeros in common.

The list of a pair is bytes, of a stretch of at most 128 places: how many there are, and then each
of them. A single row (one_row.py) has a list of its vectors that are not 0, as offsets; four rows
have a longer one in common where neurons are few (few_neurons.py).
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import declare, emit_broadcast
from .jit import inlined, kernel
from .simd import absolute, broadcast, lanes, load, load_first, parts, select, sum_lanes
from .target import VECTOR_BYTES

LIST_ROWS = 2  # rows that have a list in common
LIST_BYTES = 160  # 1 + 128, and a vector of bytes behind the last one
SAMPLES = 4  # pairs of rows that tell whether it pays to look for zeros


@intrinsic
def list_of(typingctx, lists, row):
    """Pointer to the list of the pair that begins with an even row."""

    def emit(context, builder, signature, arguments):
        lists = builder.bitcast(arguments[0], ir.IntType(8).as_pointer())
        word = ir.IntType(64)
        return builder.gep(lists, [builder.mul(arguments[1], word(LIST_BYTES // LIST_ROWS))])

    return types.CPointer(types.uint8)(lists, types.intp), emit


@intrinsic
def append_places(typingctx, places, count, zeros, first):
    """Write first + i behind so many places for each lane i that is false; return the new count."""

    def emit(context, builder, signature, arguments):
        places, count, zeros, first = arguments
        n, kind_of_place, word = zeros.type.count, places.type.pointee, ir.IntType(64)
        wanted = builder.not_(zeros)
        bits = left = builder.zext(builder.bitcast(wanted, ir.IntType(n)), word)
        to = builder.gep(places, [count])
        if VECTOR_BYTES == 64:  # one instruction, without which half of the gain is lost
            lane = ir.IntType(8 * VECTOR_BYTES // n)
            kind = ir.VectorType(lane, n)
            name = f"llvm.x86.avx512.mask.compress.v{n}i{lane.width}"
            compress = declare(builder, name, kind, [kind, kind, wanted.type])
            numbers = emit_broadcast(builder, builder.trunc(first, ir.IntType(32)), n)
            numbers = builder.zext(numbers, kind) if lane.width == 64 else numbers
            numbers = builder.add(numbers, ir.Constant(kind, list(range(n))))
            numbers = builder.call(compress, [numbers, ir.Constant(kind, None), wanted])
            if lane != kind_of_place:
                numbers = builder.trunc(numbers, ir.VectorType(kind_of_place, n))
            to = builder.bitcast(to, numbers.type.as_pointer())
            builder.store(numbers, to, align=1)
        else:
            for i in range(n):  # as many as there are lanes: no branch to be guessed
                number = builder.add(first, builder.cttz(left, ir.IntType(1)(0)))
                builder.store(builder.trunc(number, kind_of_place), builder.gep(to, [word(i)]))
                left = builder.and_(left, builder.sub(left, word(1)))
        return builder.add(count, builder.ctpop(bits))

    return types.int64(places, types.int64, zeros, types.int64), emit


@inlined
def sizes_of_pair(A, at, partner, left):
    """A vector that is 0 where both the element at `at` and its partner behind it are."""
    return absolute(load_first(A.data, at, left)) + absolute(load_first(A.data, at + partner, left))


@kernel
def list_places(A, lists):
    """Write the lists of all pairs of rows of A, whose columns lie side by side."""
    for i in range(0, A.rows, LIST_ROWS):
        places, count = list_of(lists, i), 1
        partner = A.row_step if i + 1 < A.rows else 0  # the last row may be alone
        for k in range(0, A.columns, lanes(A.data)):
            sizes = sizes_of_pair(A, i * A.row_step + k, partner, A.columns - k)
            count = append_places(places, count, sizes == 0, k)
        places[0] = count - 1


@kernel
def list_row(x, n, places):
    """Write the places where n numbers are not 0; return how many there are."""
    width, count = lanes(x), 0
    whole = n // width * width
    for k in range(0, whole, width):
        count = append_places(places, count, load(x, k) == 0, k)
    return append_places(places, count, load_first(x, whole, n - whole) == 0, whole)


@kernel
def has_zeros(A, partner):
    """Whether in a third of all places of A both a number and its partner behind it are 0.

    The partner is one column further on, or one row. Some rows tell.
    """
    found, one, zero = broadcast(A.data, 0), broadcast(A.data, 1), broadcast(A.data, 0)
    whole = (A.columns - 1) // lanes(A.data) * lanes(A.data)
    for sample in range(SAMPLES):
        row = parts(sample * (A.rows - 1), SAMPLES) * A.row_step
        for k in range(0, whole, lanes(A.data)):
            sizes = sizes_of_pair(A, row + k, partner, lanes(A.data))
            found = found + select(sizes == 0, one, zero)
    return 3 * sum_lanes(found) > SAMPLES * A.columns


@intrinsic
def places_in(typingctx, panel):
    """A panel's memory as a list of places, int32."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.int32)(panel), emit


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
