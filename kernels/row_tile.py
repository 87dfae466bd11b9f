"""The tiles of one row, over the places where it is not 0: the product of few neurons, and BP4.

At each turn the memory is asked for a line of a later row: asked for a whole row at once, it keeps
the tile waiting.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import (
    emit_broadcast,
    emit_depth_loop,
    emit_fma,
    emit_load,
    emit_prefetch,
    emit_store,
    llvm_type,
    VectorType,
)
from .jit import inlined
from .target import ALIGNMENT, VECTOR_BYTES
from .tiles import emit_place, emit_shape_switch, emit_vectors

# How many places a turn multiplies, each into sums of its own: in one sum, each product would wait
# four cycles for the one before. What is left of a list is one turn more, by masks: how many those
# are can't be guessed, and a wrong guess costs 20 cycles, 2 % of a row. 16 registers hold either
# two places of a narrow layer's vectors, with which a step of [784, 30, 10] takes 0.96 of the time,
# or one of a wider one's: a list is run over once for 100 float32, rather than four times for a
# quarter of them, and a product takes 0.78 of the time.
NARROW_PLACES, NARROW_VECTORS = (4, 4) if VECTOR_BYTES == 64 else (2, 7)
WIDE_PLACES, FEW_VECTORS = (4, 4) if VECTOR_BYTES == 64 else (1, 13)

_INT = ir.IntType(64)


@inlined
def places_at_once(neurons, width):
    """How many places a turn takes, for a layer of so many neurons.

    The layer decides, not a thread's part of it: bits must not depend on the number of threads.
    """
    return NARROW_PLACES if neurons <= NARROW_VECTORS * width else WIDE_PLACES


@intrinsic
def row_tile(typingctx, at_once, columns, places, count, a, b, b_row, c, ahead):
    """C = A B for one row, over the places of its list, `places_at_once` in a turn.

    B has at most FEW_VECTORS vectors of columns, all of them whole, whatever there is behind the
    last column; NARROW_VECTORS in a narrow layer. `ahead` points to a later row.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        at_once, columns, places, count, a, b, b_row, c, ahead = arguments
        vectors, tail = emit_vectors(builder, columns, lanes)
        line = _INT(ALIGNMENT // VECTOR_BYTES * lanes)

        def multiply_add(n, sums, is_listed=None):
            k = emit_place(builder, places, n)
            if is_listed is not None:  # behind the list may be anything
                k = builder.select(is_listed, k, _INT(0))
            a_k = emit_broadcast(builder, builder.load(builder.gep(a, [k])), lanes)
            b_k = builder.gep(b, [builder.mul(k, b_row)])
            b_vectors = [
                emit_load(builder, builder.gep(b_k, [_INT(j * lanes)]), vector)
                for j in range(len(sums))
            ]
            products = zip(b_vectors, sums, strict=True)
            updated = [emit_fma(builder, a_k, b_j, s) for b_j, s in products]
            if is_listed is not None:
                kept = emit_broadcast(builder, is_listed, lanes)
                updated = [
                    builder.select(kept, *new_old) for new_old in zip(updated, sums, strict=True)
                ]
            return updated

        def emit_tile(n_places, n_vectors):
            turns = builder.sdiv(count, _INT(n_places))
            done = builder.mul(turns, _INT(n_places))

            def multiply_add_several(turn, sums):
                emit_prefetch(builder, builder.gep(ahead, [builder.mul(turn, line)]))
                updated = []
                for u in range(n_places):
                    n = builder.add(builder.mul(turn, _INT(n_places)), _INT(u))
                    updated += multiply_add(n, sums[u * n_vectors : (u + 1) * n_vectors])
                return updated

            zeros = [ir.Constant(vector, None)] * (n_places * n_vectors)
            sums = emit_depth_loop(builder, turns, zeros, multiply_add_several)
            for u in range(n_places - 1):
                n = builder.add(done, _INT(u))
                of = slice(u * n_vectors, (u + 1) * n_vectors)
                sums[of] = multiply_add(n, sums[of], builder.icmp_signed("<", n, count))
            for j, total in enumerate(sums[:n_vectors]):
                for s in sums[n_vectors + j :: n_vectors]:
                    total = builder.fadd(total, s)
                mask = tail if j == n_vectors - 1 else None
                emit_store(builder, total, builder.gep(c, [_INT(j * lanes)]), mask)

        most = {WIDE_PLACES: FEW_VECTORS, NARROW_PLACES: NARROW_VECTORS}
        shapes = [(i, j) for i, n_vectors in most.items() for j in range(1, n_vectors + 1)]
        emit_shape_switch(builder, at_once, vectors, shapes, emit_tile)
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, size, places, size, a, a, size, a, a), emit


@intrinsic
def add_row_multiples(typingctx, columns, places, count, a, factor, d, c, c_row):
    """Add factor a[k] d to row k of C, for the places k of the row's list.

    At most FEW_VECTORS vectors of columns. All of the last one is written in C, of which only
    columns change.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        columns, places, count, a, factor, d, c, c_row = arguments
        vectors, tail = emit_vectors(builder, columns, lanes)
        factors = emit_broadcast(builder, factor, lanes)

        def emit_tile(_, n_vectors):
            multiples = []
            for j in range(n_vectors):
                mask = tail if j == n_vectors - 1 else None
                d_j = emit_load(builder, builder.gep(d, [_INT(j * lanes)]), vector, mask)
                multiples.append(builder.fmul(d_j, factors))

            def add(n, _):
                k = emit_place(builder, places, n)
                a_k = emit_broadcast(builder, builder.load(builder.gep(a, [k])), lanes)
                c_k = builder.gep(c, [builder.mul(k, c_row)])
                for j, d_j in enumerate(multiples):
                    place = builder.gep(c_k, [_INT(j * lanes)])
                    old = emit_load(builder, place, vector)
                    emit_store(builder, emit_fma(builder, a_k, d_j, old), place)
                return []

            emit_depth_loop(builder, count, [], add)

        shapes = [(1, n_vectors) for n_vectors in range(1, FEW_VECTORS + 1)]
        emit_shape_switch(builder, _INT(1), vectors, shapes, emit_tile)
        return context.get_dummy_value()

    size = types.intp
    return types.void(size, places, size, a, a.dtype, d, c, size), emit
