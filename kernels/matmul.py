"""The matrix products of backpropagation, from register tiles (tiles.py).

A `Matrix` is a view of numbers in somebody else's array: a pointer, a shape and two steps. It
owns nothing, so its array must outlive it. There are three products:

    forward          z = a W^T               B = W^T has its columns side by side in memory
    delta back       delta W                 B = W has its rows side by side
    weight gradient  delta^T a               B = a has its rows side by side

Outer tiles want rows of B, a panel of some columns and some depth at a time. A panel that many
tiles will read is first packed: copied, or transposed, to where it lies densely and stays in the
first-level cache. Where a forward product has too few rows for that, dot tiles take W as it is.

C is written, A and B are read, and C must overlap neither. Each element of C is summed over the
same stretches of depth in the same order, whichever part of C is asked for: so threads may share
C in any way without changing a bit.
"""

from typing import NamedTuple

from .jit import inlined, kernel
from .simd import advance, lanes, load_first, pointer, store, transpose_block
from .tiles import dot_columns, DOT_ROWS, dot_tile, outer_rows, outer_tile, OUTER_VECTORS

PANEL_DEPTH = 128  # rows of a panel: with 4 vectors of 64 bytes, 32 KB of the first-level cache
PANEL_SIZE = PANEL_DEPTH * 64  # elements of a panel, at most: 4 vectors of 16
PACK_FROM = 24  # rows of C from which packing a panel pays
BLOCK_ROWS = 512  # rows of A at a time; each time, the panels are packed again


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
    """Rows first .. last-1 of A."""
    data = advance(A.data, first * A.row_step)
    return Matrix(data, last - first, A.columns, A.row_step, A.column_step)


@kernel
def column_range(A, first, last):
    """Columns first .. last-1 of A."""
    data = advance(A.data, first * A.column_step)
    return Matrix(data, A.rows, last - first, A.row_step, A.column_step)


@kernel
def matmul(alpha, A, B, beta, C, panel):
    """C = alpha A B + beta C; `panel` points to PANEL_SIZE elements of this thread's own."""
    width = OUTER_VECTORS * lanes(C.data)
    for i in range(0, C.rows, BLOCK_ROWS):
        i_end = min(i + BLOCK_ROWS, C.rows)
        for j in range(0, C.columns, width):
            j_end = min(j + width, C.columns)
            for k in range(0, B.rows, PANEL_DEPTH):
                k_end = min(k + PANEL_DEPTH, B.rows)
                _multiply_panel(
                    alpha, A, B, beta if k == 0 else 1.0, C, i, i_end, j, j_end, k, k_end, panel
                )


@inlined
def _multiply_panel(alpha, A, B, beta, C, i, i_end, j, j_end, k, k_end, panel):
    """C[i:i_end, j:j_end] = alpha A[:, k:k_end] B[k:k_end, :] + beta C, for one panel of B."""
    columns, depth = j_end - j, k_end - k
    b, b_row = advance(B.data, k * B.row_step + j * B.column_step), B.row_step
    if B.column_step != 1:
        b_row = _pack_transposed(b, B.column_step, depth, columns, panel)
        b = panel
    elif i_end - i >= PACK_FROM:
        b_row = _pack(b, B.row_step, depth, columns, panel)
        b = panel
    most = outer_rows(C.data, columns)
    while i < i_end:
        # As even as can be: 10 rows are 5 + 5 rather than 6 + 4.
        tiles = (i_end - i + most - 1) // most
        rows = (i_end - i + tiles - 1) // tiles
        a = advance(A.data, i * A.row_step + k * A.column_step)
        c = advance(C.data, i * C.row_step + j)
        outer_tile(
            rows, columns, depth, a, A.row_step, A.column_step, b, b_row, alpha, beta, c, C.row_step
        )
        i += rows


@kernel
def matmul_transposed(A, B, C):
    """C = A B^T by dot tiles, for few rows or columns of C, where packing B would not pay."""
    i = 0
    while i < C.rows:
        tiles = (C.rows - i + DOT_ROWS - 1) // DOT_ROWS
        rows = (C.rows - i + tiles - 1) // tiles
        most = dot_columns(C.data, rows)
        j = 0
        while j < C.columns:
            tiles = (C.columns - j + most - 1) // most
            columns = (C.columns - j + tiles - 1) // tiles
            a = advance(A.data, i * A.row_step)
            b = advance(B.data, j * B.row_step)
            c = advance(C.data, i * C.row_step + j)
            dot_tile(rows, columns, A.columns, a, A.row_step, b, B.row_step, c, C.row_step)
            j += columns
        i += rows


@inlined
def _pack(b, b_row, depth, columns, panel):
    """Copy (depth, columns) of B into the panel; return the panel's row step."""
    width = lanes(panel)
    row_step = (columns + width - 1) // width * width
    for k in range(depth):
        for j in range(0, columns, width):
            store(panel, k * row_step + j, load_first(b, k * b_row + j, columns - j))
    return row_step


@inlined
def _pack_transposed(b, b_column, depth, columns, panel):
    """Copy (depth, columns) of B, whose columns lie side by side, into the panel."""
    width = lanes(panel)
    row_step = (columns + width - 1) // width * width
    for j in range(0, columns, width):
        for k in range(0, depth, width):
            transpose_block(
                advance(b, j * b_column + k), b_column, columns - j, depth - k,
                advance(panel, k * row_step + j), row_step,
            )  # fmt: skip
    return row_step
