"""The outer tile of rows with lists (zeros.py): each runs over the places where it is not 0.

With 16 registers most tiles have one or two rows, which need not have their places in common: with
6 sums, each would wait for the one before, and two rows cost one wrong guess of where a list ends.
Steps of [784, 256, 128, 10] with 64 rows take 0.87 of the time they took by one row and 6 sums.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import (
    emit_broadcast,
    emit_depth_loop,
    emit_fma,
    emit_load,
    emit_store_often_whole,
    llvm_type,
    VectorType,
)
from .target import VECTOR_BYTES
from .tiles import emit_place, emit_shape_switch, emit_vectors, emit_write, OUTER_VECTORS
from .zeros import LIST_BYTES

# Vectors that a tile may have, which with 16 registers leave one for a number of A; and rows, of
# which two have so many vectors together. Twice as many by AVX-512 made no step faster.
LISTED_VECTORS, LISTED_ROWS = (8, 1) if VECTOR_BYTES == 64 else (14, 2)

_INT = ir.IntType(64)


@intrinsic
def listed_tile(
    typingctx, rows, columns, lists, a, a_row, a_column, b, b_panel, alpha, beta, c, c_row
):
    """C = alpha A B + beta C, for some rows of A with their lists, and some columns of C.

    At most LISTED_ROWS rows, and together LISTED_VECTORS vectors; columns of a packed B, between
    whose panels' beginnings lie `b_panel` numbers.
    """
    vector = llvm_type(VectorType(a.dtype))
    lanes = vector.count

    def emit(context, builder, signature, arguments):
        rows, columns, lists, a, a_row, a_column, b, b_panel, alpha, beta, c, c_row = arguments
        vectors, tail = emit_vectors(builder, columns, lanes)
        to_next_panel = builder.sub(b_panel, _INT(OUTER_VECTORS * lanes))

        def emit_tile(n_rows, n_vectors):
            places = [builder.gep(lists, [_INT(i * LIST_BYTES)]) for i in range(n_rows)]
            counts = [emit_place(builder, of_row, _INT(0)) for of_row in places]
            a_rows = [builder.gep(a, [builder.mul(a_row, _INT(i))]) for i in range(n_rows)]

            def multiply_add(i, n, sums):
                """Row i at place n of its list."""
                k = emit_place(builder, places[i], builder.add(n, _INT(1)))
                a_ik = builder.load(builder.gep(a_rows[i], [builder.mul(k, a_column)]))
                a_ik = emit_broadcast(builder, a_ik, lanes)
                b_k = builder.gep(b, [builder.mul(k, _INT(OUTER_VECTORS * lanes))])
                updated = []
                for j, s in enumerate(sums):
                    if j > 0 and j % OUTER_VECTORS == 0:
                        b_k = builder.gep(b_k, [to_next_panel])
                    b_kj = emit_load(builder, builder.gep(b_k, [_INT(j * lanes)]), vector)
                    updated.append(emit_fma(builder, a_ik, b_kj, s))
                return updated

            def of_row(i, sums):
                return sums[i * n_vectors : (i + 1) * n_vectors]

            def multiply_add_all(n, sums):
                return [s for i in range(n_rows) for s in multiply_add(i, n, of_row(i, sums))]

            together = counts[0]
            for count in counts[1:]:
                is_less = builder.icmp_signed("<", count, together)
                together = builder.select(is_less, count, together)
            zeros = [ir.Constant(vector, None)] * (n_rows * n_vectors)
            sums = emit_depth_loop(builder, together, zeros, multiply_add_all)
            if n_rows > 1:  # what is left of the longer list
                rest = []
                for i, count in enumerate(counts):

                    def multiply_add_rest(n, sums, i=i):
                        return multiply_add(i, builder.add(together, n), sums)

                    left = builder.sub(count, together)
                    rest += emit_depth_loop(builder, left, of_row(i, sums), multiply_add_rest)
                sums = rest
            masks, store = [None] * (n_vectors - 1) + [tail], emit_store_often_whole
            emit_write(builder, sums, masks, alpha, beta, c, c_row, store)

        shapes = [
            (i, j)
            for j in range(1, LISTED_VECTORS + 1)
            for i in range(1, min(LISTED_ROWS, LISTED_VECTORS // j) + 1)
        ]
        emit_shape_switch(builder, rows, vectors, shapes, emit_tile)
        return context.get_dummy_value()

    size = types.intp
    arguments = (size, size, lists, a, size, size, b, size, a.dtype, a.dtype, c, size)
    return types.void(*arguments), emit
