"""The matrix products of backpropagation, from register tiles (tiles.py).

A `Matrix` is a view of numbers in somebody else's array: a pointer, a shape and two steps. It
owns nothing, so its array must outlive it. `matmul(A, B, C)` looks at the steps of B:

    forward          z = a W^T               B has its columns side by side in memory: dot
    delta back       delta W                 B has its rows side by side: outer
    weight gradient  delta^T a               B has its rows side by side: outer

C is written, A and B are read; C must not overlap them. All bits of an element of C depend on
its row of A and its column of B alone, not on the shape of C: so threads may share C in any way.
"""

from typing import NamedTuple

from .jit import inlined, kernel
from .simd import advance, lanes, pointer
from .tiles import dot_columns, DOT_ROWS, dot_tile, outer_rows, outer_tile, OUTER_VECTORS


class Matrix(NamedTuple):
    """Element (i, j) is at data[i * row_step + j * column_step]."""

    data: object  # pointer to element (0, 0)
    rows: int
    columns: int
    row_step: int
    column_step: int


@kernel
def matrix(array, start, rows, columns, row_step):
    """View of a row-major matrix inside an array, from element `start` on."""
    return Matrix(pointer(array, start), rows, columns, row_step, 1)


@kernel
def transpose(A):
    """The same numbers, rows and columns exchanged."""
    return Matrix(A.data, A.columns, A.rows, A.column_step, A.row_step)


@kernel
def row_range(A, first, last):
    """Rows first..last-1 of A."""
    data = advance(A.data, first * A.row_step)
    return Matrix(data, last - first, A.columns, A.row_step, A.column_step)


@kernel
def column_range(A, first, last):
    """Columns first..last-1 of A."""
    data = advance(A.data, first * A.column_step)
    return Matrix(data, A.rows, last - first, A.row_step, A.column_step)


@kernel
def matmul(A, B, C, accumulate):
    """C = A B, or C += A B; C has its rows in memory order, and so has A or B^T (see above)."""
    if B.column_step == 1:
        _matmul_outer(A, B, C, accumulate)
    else:
        _matmul_dot(A, B, C)


@inlined
def _matmul_outer(A, B, C, accumulate):
    width = OUTER_VECTORS * lanes(C.data)
    for j in range(0, C.columns, width):
        columns = min(width, C.columns - j)
        most = outer_rows(C.data, columns)
        i = 0
        while i < C.rows:
            # As even as can be: 10 rows are 5 + 5 rather than 6 + 4.
            left = C.rows - i
            tiles = (left + most - 1) // most
            rows = (left + tiles - 1) // tiles
            outer_tile(
                rows,
                columns,
                A.columns,
                advance(A.data, i * A.row_step),
                A.row_step,
                A.column_step,
                advance(B.data, j),
                B.row_step,
                advance(C.data, i * C.row_step + j),
                C.row_step,
                accumulate,
            )
            i += rows


@inlined
def _matmul_dot(A, B, C):
    i = 0
    while i < C.rows:
        left = C.rows - i
        tiles = (left + DOT_ROWS - 1) // DOT_ROWS
        rows = (left + tiles - 1) // tiles
        most = dot_columns(C.data, rows)
        j = 0
        while j < C.columns:
            left = C.columns - j
            tiles = (left + most - 1) // most
            columns = (left + tiles - 1) // tiles
            dot_tile(
                rows,
                columns,
                A.columns,
                advance(A.data, i * A.row_step),
                A.row_step,
                advance(B.data, j * B.column_step),
                B.column_step,
                advance(C.data, i * C.row_step + j),
                C.row_step,
            )
            j += columns
        i += rows
