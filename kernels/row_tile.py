"""The tile of one row, over the places where it is not 0, while the list of the next is written.

Products wait for loads and lists for shuffles, so each takes the time that the other leaves. And
the memory is asked for a line of a later row at each turn: asked for a whole row at once, it keeps
the tile waiting.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import (
    emit_broadcast,
    emit_fma,
    emit_load,
    emit_mask,
    emit_prefetch,
    emit_store,
    llvm_type,
    NEXT,
    VectorType,
)
from .target import ALIGNMENT, VECTOR_BYTES
from .tiles import emit_depth_loop, emit_place, emit_shape_switch
from .zeros import emit_append

# By vectors of columns, how many places a turn multiplies, each into sums of its own: in one sum,
# each product would wait four cycles for the one before.
PLACES_AT_ONCE = {1: 4, 2: 3, 3: 2, 4: 2}
FEW_VECTORS = max(PLACES_AT_ONCE)

_INT = ir.IntType(64)


@intrinsic
def row_tile(typingctx, columns, depth, a, places, count, b, b_row, c, next_a, next_places, ahead):
    """C = A B for one row, from its list; write the list of the next row, and return its count.

    B (depth, columns) has at most FEW_VECTORS vectors of columns, all of them whole, whatever there
    is behind the last column; A and the next row have depth numbers. `ahead` points to the row that
    is asked for.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        columns, depth, a, places, count, b, b_row, c, next_a, next_places, ahead = arguments
        vectors = builder.sdiv(builder.add(columns, _INT(lanes - 1)), _INT(lanes))
        full_lanes = builder.mul(builder.sub(vectors, _INT(1)), _INT(lanes))
        tail = emit_mask(builder, builder.sub(columns, full_lanes), lanes)
        whole = builder.sdiv(depth, _INT(lanes))
        line = _INT(ALIGNMENT // VECTOR_BYTES * lanes)

        def multiply_add(n, sums):
            k = emit_place(builder, places, n)
            a_k = emit_broadcast(builder, builder.load(builder.gep(a, [k])), lanes)
            b_k = builder.gep(b, [builder.mul(k, b_row)])
            b_vectors = [
                emit_load(builder, builder.gep(b_k, [_INT(j * lanes)]), vector)
                for j in range(len(sums))
            ]
            return [emit_fma(builder, a_k, b_j, s) for b_j, s in zip(b_vectors, sums, strict=True)]

        def multiply_add_several(turn, sums, n_vectors):
            emit_prefetch(builder, builder.gep(ahead, [builder.mul(turn, line)]), NEXT)
            several, updated = PLACES_AT_ONCE[n_vectors], []
            for u in range(several):
                n = builder.add(builder.mul(turn, _INT(several)), _INT(u))
                updated += multiply_add(n, sums[u * n_vectors : (u + 1) * n_vectors])
            return updated

        def append(n, found, mask=None):
            first = builder.mul(n, _INT(lanes))
            numbers = emit_load(builder, builder.gep(next_a, [first]), vector, mask)
            zeros = builder.fcmp_ordered("==", numbers, ir.Constant(vector, None))
            return emit_append(builder, next_places, found, zeros, first)

        def emit_tile(_, n_vectors):
            several = _INT(PLACES_AT_ONCE[n_vectors])
            turns = builder.sdiv(count, several)
            both = builder.select(builder.icmp_signed("<", turns, whole), turns, whole)
            multiplied = builder.mul(turns, several)

            def do_both(turn, running):
                *sums, found = running
                return [*multiply_add_several(turn, sums, n_vectors), append(turn, found)]

            def only_multiply(turn, sums):
                return multiply_add_several(builder.add(both, turn), sums, n_vectors)

            def only_append(turn, founds):
                return [append(builder.add(both, turn), *founds)]

            def multiply_last(n, sums):
                return multiply_add(builder.add(multiplied, n), sums)

            zeros = [ir.Constant(vector, None)] * (PLACES_AT_ONCE[n_vectors] * n_vectors)
            *sums, found = emit_depth_loop(builder, both, [*zeros, _INT(0)], do_both)
            sums = emit_depth_loop(builder, builder.sub(turns, both), sums, only_multiply)
            last = builder.sub(count, multiplied)
            sums[:n_vectors] = emit_depth_loop(builder, last, sums[:n_vectors], multiply_last)
            [found] = emit_depth_loop(builder, builder.sub(whole, both), [found], only_append)
            for j, total in enumerate(sums[:n_vectors]):
                for s in sums[n_vectors + j :: n_vectors]:
                    total = builder.fadd(total, s)
                mask = tail if j == n_vectors - 1 else None
                emit_store(builder, total, builder.gep(c, [_INT(j * lanes)]), mask)
            results.append((found, builder.block))

        # Without a column there is no tile, and nothing listed.
        results = [(_INT(0), builder.block)]
        shapes = [(1, n_vectors) for n_vectors in PLACES_AT_ONCE]
        emit_shape_switch(builder, _INT(1), vectors, shapes, emit_tile)
        found = builder.phi(_INT)
        for value, block in results:
            found.add_incoming(value, block)
        rest = emit_mask(builder, builder.sub(depth, builder.mul(whole, _INT(lanes))), lanes)
        return append(whole, found, rest)

    size = types.intp
    arguments = (size, size, a, places, size, a, size, a, a, places, a)
    return types.int64(*arguments), emit
