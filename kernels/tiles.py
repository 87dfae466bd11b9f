"""The two register tiles of which every matrix product is made.

outer   C[i, j] = alpha sum_k A[i, k] B[k, j] + beta C[i, j]   vectors along j, A broadcast
dot     C[i, j] = sum_k A[i, k] B[j, k]                        vectors along k, lanes summed

A tile keeps all its sums in registers while it runs over k. Loops that hold two dozen vectors in
Python variables would be unreadable, so a tile is emitted as LLVM code by two nested Python
loops, once for each shape (rows, columns) it can have; at run time a switch picks the shape.
Every sum runs over k in the same order in every shape: its bits depend on A and B alone.

The shapes, in vectors, fill the register file: 6 x 4 accumulators and the 4 + 1 operands they
need for 32 registers (110 of 117 GFLOP/s measured; 12 x 2 gives 85; 10 x 2 gives 116, but reads
each number of A twice as often), 6 x 2 for 16 (4 x 3 is as fast, but leaves a third of its last
vectors empty where layers have 2^k neurons).
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import (
    emit_broadcast,
    emit_depth_loop,
    emit_fma,
    emit_halves_tree,
    emit_load,
    emit_loop_mask,
    emit_mask,
    emit_store,
    lane_numbers,
    lanes_of,
    llvm_type,
    VectorType,
)
from .target import VECTOR_BYTES

_REGISTERS = 32 if VECTOR_BYTES == 64 else 16

# Rows that a tile of so many vectors (outer) or columns (dot) may have.
if _REGISTERS == 32:
    OUTER_ROWS = {1: 10, 2: 10, 3: 8, 4: 6}
    DOT_COLUMNS = {1: 8, 2: 8, 3: 8, 4: 6, 5: 5, 6: 4}
else:
    OUTER_ROWS = {1: 8, 2: 6}
    DOT_COLUMNS = {1: 4, 2: 4, 3: 3}

OUTER_VECTORS = max(OUTER_ROWS)
# Instead of so many vectors, of which the last may be part of one: all whole. A masked load takes
# the place of a multiply-add: 89 against 93 % of the FMA peak.
WHOLE = OUTER_VECTORS + 1
DOT_ROWS = max(DOT_COLUMNS)

_INT = ir.IntType(64)


def emit_place(builder, places, n):
    """Number n of a list; none is negative."""
    return builder.zext(builder.load(builder.gep(places, [n])), _INT)


def emit_vectors(builder, columns, lanes):
    """How many vectors so many columns take, and the mask of the last of them."""
    vectors = builder.sdiv(builder.add(columns, _INT(lanes - 1)), _INT(lanes))
    full_lanes = builder.mul(builder.sub(vectors, _INT(1)), _INT(lanes))
    return vectors, emit_loop_mask(builder, builder.sub(columns, full_lanes), lanes)


def emit_shape_switch(builder, rows, columns, shapes, emit_tile):
    """Emit one tile for each (rows, columns) of `shapes`, and the jump to the wanted one."""
    stride = 1 + max(columns for _, columns in shapes)
    wanted = builder.add(builder.mul(rows, _INT(stride)), columns)
    end = builder.append_basic_block("tile.end")
    switch = builder.switch(wanted, end)
    for shape in shapes:
        block = builder.append_basic_block(f"tile.{shape[0]}x{shape[1]}")
        switch.add_case(_INT(shape[0] * stride + shape[1]), block)
        builder.position_at_end(block)
        emit_tile(*shape)
        builder.branch(end)
    builder.position_at_end(end)


def emit_write(builder, sums, masks, alpha, beta, c, c_row, store=emit_store):
    """Write C = alpha sums + beta C, rows of as many vectors as there are masks."""
    lanes = sums[0].type.count
    # C = A B, as nearly everywhere: nothing is read, and C may hold anything.
    scales = builder.fcmp_unordered("!=", alpha, ir.Constant(alpha.type, 1))
    adds = builder.or_(scales, builder.fcmp_unordered("!=", beta, ir.Constant(beta.type, 0)))
    alpha, beta = emit_broadcast(builder, alpha, lanes), emit_broadcast(builder, beta, lanes)

    def write(adds_old):
        for n, value in enumerate(sums):
            i, j = divmod(n, len(masks))
            c_ij = builder.gep(c, [builder.add(builder.mul(c_row, _INT(i)), _INT(j * lanes))])
            if adds_old:
                old = emit_load(builder, c_ij, value.type, masks[j])
                value = emit_fma(builder, old, beta, builder.fmul(value, alpha))
            store(builder, value, c_ij, masks[j])

    with builder.if_else(adds) as (then, otherwise):
        with then:
            write(adds_old=True)
        with otherwise:
            write(adds_old=False)


@intrinsic
def outer_tile(
    typingctx, rows, columns, depth, a, a_row, a_column, b, b_row, alpha, beta, c, c_row
):
    """C = alpha A B + beta C, for at most OUTER_ROWS rows and OUTER_VECTORS vectors of columns.

    A (rows, depth) with any steps, B (depth, columns) and C (rows, columns) with columns side by
    side; pointers to their first elements, and steps in elements.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        rows, columns, depth, a, a_row, a_column, b, b_row, alpha, beta, c, c_row = arguments
        vectors, tail = emit_vectors(builder, columns, lanes)
        is_whole = builder.icmp_signed("==", columns, _INT(OUTER_VECTORS * lanes))
        vectors = builder.select(is_whole, _INT(WHOLE), vectors)

        def emit_tile(n_rows, n_vectors):
            masks = [None] * (n_vectors - 1) + [tail]
            if n_vectors == WHOLE:
                n_vectors, masks = OUTER_VECTORS, [None] * OUTER_VECTORS
            a_rows = [builder.gep(a, [builder.mul(a_row, _INT(i))]) for i in range(n_rows)]

            def multiply_add(k, sums):
                b_k = builder.gep(b, [builder.mul(k, b_row)])
                b_vectors = [
                    emit_load(builder, builder.gep(b_k, [_INT(j * lanes)]), vector, mask)
                    for j, mask in enumerate(masks)
                ]
                a_k = builder.mul(k, a_column)
                updated = []
                for i in range(n_rows):
                    a_ik = builder.load(builder.gep(a_rows[i], [a_k]))
                    a_ik = emit_broadcast(builder, a_ik, lanes)
                    for j in range(n_vectors):
                        s = sums[i * n_vectors + j]
                        updated.append(emit_fma(builder, a_ik, b_vectors[j], s))
                return updated

            zeros = [ir.Constant(vector, None)] * (n_rows * n_vectors)
            sums = emit_depth_loop(builder, depth, zeros, multiply_add)
            emit_write(builder, sums, masks, alpha, beta, c, c_row)

        shapes = [(i, j) for j, most in OUTER_ROWS.items() for i in range(1, most + 1)]
        shapes += [(i, WHOLE) for i in range(1, OUTER_ROWS[OUTER_VECTORS] + 1)]
        emit_shape_switch(builder, rows, vectors, shapes, emit_tile)
        return context.get_dummy_value()

    size = types.intp
    arguments = (size, size, size, a, size, size, b, size, a.dtype, a.dtype, c, size)
    return types.void(*arguments), emit


def _emit_dot_tiles(builder, vector, shapes, arguments, count, place):
    """Emit dot tiles of some shapes, over `count` whole vectors n -> place(n), and the rest."""
    rows, columns, depth, a, a_row, b, b_row, c, c_row = arguments
    lanes = vector.count
    tail_start = builder.and_(depth, _INT(-lanes))
    left = builder.sub(depth, tail_start)
    tail = emit_mask(builder, left, lanes)
    # None or one. 128 rows of 512 -> 10 would take 1.05 times as long without, 10 of 64 -> 10 1.1.
    tails = builder.zext(builder.icmp_signed(">", left, _INT(0)), _INT)

    def emit_tile(n_rows, n_columns):
        a_rows = [builder.gep(a, [builder.mul(a_row, _INT(i))]) for i in range(n_rows)]
        b_rows = [builder.gep(b, [builder.mul(b_row, _INT(j))]) for j in range(n_columns)]

        def multiply_add_at(at, sums, mask):
            a_vectors = [emit_load(builder, builder.gep(p, [at]), vector, mask) for p in a_rows]
            updated = list(sums)
            for j in range(n_columns):
                b_j = emit_load(builder, builder.gep(b_rows[j], [at]), vector, mask)
                for i in range(n_rows):
                    n = i * n_columns + j
                    updated[n] = emit_fma(builder, a_vectors[i], b_j, sums[n])
            return updated

        def multiply_add(n, sums):
            return multiply_add_at(place(n), sums, None)

        def multiply_add_tail(_, sums):
            return multiply_add_at(tail_start, sums, tail)

        zeros = [ir.Constant(vector, None)] * (n_rows * n_columns)
        sums = emit_depth_loop(builder, count, zeros, multiply_add)
        sums = emit_depth_loop(builder, tails, sums, multiply_add_tail)
        for i in range(n_rows):
            row = sums[i * n_columns : (i + 1) * n_columns]
            total = emit_halves_tree(builder, row, builder.fadd)
            # As many lanes as the shape has: by a mask, AMD's AVX2 writes in 8 or 17 cycles.
            total = builder.shuffle_vector(total, total, lane_numbers(list(range(n_columns))))
            emit_store(builder, total, builder.gep(c, [builder.mul(c_row, _INT(i))]))

    emit_shape_switch(builder, rows, columns, shapes, emit_tile)


@intrinsic
def dot_tile(typingctx, rows, columns, depth, a, a_row, b, b_row, c, c_row):
    """C = A B^T for at most DOT_ROWS rows and DOT_COLUMNS[rows] columns.

    A (rows, depth), B (columns, depth), C (rows, columns), all with columns side by side;
    pointers to their first elements, and steps in elements.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        whole = builder.sdiv(arguments[2], _INT(lanes))
        shapes = [(i, j) for i, most in DOT_COLUMNS.items() for j in range(1, min(most, lanes) + 1)]
        _emit_dot_tiles(
            builder, vector, shapes, arguments, whole, lambda n: builder.mul(n, _INT(lanes))
        )
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, size, size, a, size, b, size, c, size), emit


@intrinsic
def dot_tile_at(typingctx, columns, places, count, depth, a, b, b_row, c):
    """The same for one row, over the whole vectors at some places, and what is left behind all."""
    vector = llvm_type(VectorType(a.dtype))

    def emit(context, builder, signature, arguments):
        columns, places, count, depth, a, b, b_row, c = arguments
        shapes = [(1, j) for j in range(1, min(DOT_COLUMNS[1], vector.count) + 1)]
        full = [_INT(1), columns, depth, a, depth, b, b_row, c, columns]
        _emit_dot_tiles(
            builder, vector, shapes, full, count, lambda n: emit_place(builder, places, n)
        )
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, places, size, size, a, b, size, c), emit


@intrinsic
def dot_columns(typingctx, c, rows):
    """Return the most columns that a dot tile of so many rows may have."""
    lanes = lanes_of(c.dtype)

    def emit(context, builder, signature, arguments):
        most = _INT(min(DOT_COLUMNS[DOT_ROWS], lanes))
        for n_rows, n_columns in DOT_COLUMNS.items():
            here = builder.icmp_signed("==", arguments[1], _INT(n_rows))
            most = builder.select(here, _INT(min(n_columns, lanes)), most)
        return most

    return types.intp(c, types.intp), emit


@intrinsic
def outer_rows(typingctx, c, columns):
    """Return the most rows that an outer tile over so many columns may have."""
    lanes = lanes_of(c.dtype)

    def emit(context, builder, signature, arguments):
        most = _INT(OUTER_ROWS[OUTER_VECTORS])
        for n_vectors in sorted(OUTER_ROWS, reverse=True):
            fits = builder.icmp_signed("<=", arguments[1], _INT(n_vectors * lanes))
            most = builder.select(fits, _INT(OUTER_ROWS[n_vectors]), most)
        return most

    return types.intp(c, types.intp), emit
