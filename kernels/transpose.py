"""Transposing squares of vectors in registers, as a forward product needs W^T (matmul.py)."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import (
    emit_broadcast,
    emit_load,
    emit_mask,
    emit_store,
    lane_numbers,
    llvm_type,
    VectorType,
)
from .target import VECTOR_BYTES


def _emit_transpose(builder, block):
    """Transpose a square of lanes, or, of fewer vectors, each of the squares side by side in them.

    Squares of 1, 2, 4, ... lanes change places across rows.
    """
    lanes = block[0].type.count
    size = 1
    while size < len(block):
        upper = lane_numbers([i if i // size % 2 == 0 else i - size + lanes for i in range(lanes)])
        lower = lane_numbers([i + size if i // size % 2 == 0 else i + lanes for i in range(lanes)])
        swapped = list(block)
        for i in range(len(block)):
            if i // size % 2 == 0:
                pair = block[i], block[i + size]
                swapped[i] = builder.shuffle_vector(*pair, upper)
                swapped[i + size] = builder.shuffle_vector(*pair, lower)
        block = swapped
        size *= 2
    return block


def _emit_load_quarters(builder, pointers, vector):
    """One vector from 16 bytes at each of some addresses: loads put them in their places."""
    quarter = ir.VectorType(vector.element, vector.count // len(pointers))
    result = ir.Constant(vector, ir.Undefined)
    for place, pointer in enumerate(pointers):
        numbers = emit_load(builder, pointer, quarter)
        first = place * quarter.count
        spread = [max(0, min(i - first, quarter.count - 1)) for i in range(vector.count)]
        numbers = builder.shuffle_vector(
            numbers, ir.Constant(quarter, ir.Undefined), lane_numbers(spread)
        )
        inside = range(first, first + quarter.count)
        chosen = [i + vector.count if i in inside else i for i in range(vector.count)]
        result = builder.shuffle_vector(result, numbers, lane_numbers(chosen))
    return result


@intrinsic
def transpose_block(typingctx, source, source_row, rows, columns, target, target_row):
    """Write the transpose of a square of LANES rows and columns; pointers, steps in elements.

    Of the source `rows` and `columns` are there, the rest counts as 0. Of the target `columns`
    rows are written, in whole vectors.
    """

    def emit(context, builder, signature, arguments):
        source, source_row, rows, columns, target, target_row = arguments
        vector = llvm_type(VectorType(signature.args[0].dtype))
        lanes, word = vector.count, ir.IntType(64)

        def place(row, column):
            return builder.gep(
                source, [builder.add(builder.mul(word(row), source_row), word(column))]
            )

        def emit_whole():
            """Squares of 16 bytes; loads make half of the exchanges, shuffles the rest."""
            side = 16 * lanes // VECTOR_BYTES
            for column in range(0, lanes, side):
                places = [[place(r, column) for r in range(i, lanes, side)] for i in range(side)]
                block = [_emit_load_quarters(builder, p, vector) for p in places]
                for i, value in enumerate(_emit_transpose(builder, block)):
                    at = builder.mul(word(column + i), target_row)
                    emit_store(builder, value, builder.gep(target, [at]))

        def emit_part():
            mask = emit_mask(builder, columns, lanes)
            block = []
            for i in map(word, range(lanes)):
                # A row that is not there is a masked load of no lane, from the first row.
                there = builder.icmp_signed("<", i, rows)
                at = builder.select(there, builder.mul(i, source_row), word(0))
                here = builder.and_(mask, emit_broadcast(builder, there, lanes))
                block.append(emit_load(builder, builder.gep(source, [at]), vector, here))
            for row, value in enumerate(_emit_transpose(builder, block)):
                with builder.if_then(builder.icmp_signed("<", word(row), columns)):
                    at = builder.mul(word(row), target_row)
                    emit_store(builder, value, builder.gep(target, [at]))

        is_whole = builder.and_(
            builder.icmp_signed(">=", rows, word(lanes)),
            builder.icmp_signed(">=", columns, word(lanes)),
        )
        with builder.if_else(is_whole) as (then, otherwise):
            with then:
                emit_whole()
            with otherwise:
                emit_part()
        return context.get_dummy_value()

    size = types.intp
    return types.void(source, size, size, size, target, size), emit
