"""The matrix products of backpropagation, from register tiles (tiles.py).

A `Matrix` is a view of numbers in somebody else's array: a pointer, a shape and two steps. It
owns nothing, so its array must outlive it. There are three products:

    forward          z = a W^T               B = W^T has its columns side by side in memory
    delta back       delta W                 B = W has its rows side by side
    weight gradient  delta^T a               B = a has its rows side by side

Outer tiles want rows of B, a panel of some columns and some depth at a time. A panel that many
tiles will read is first packed: copied, or transposed, to where it lies densely and stays in the
first-level cache; meanwhile the memory is asked for the next one. Where a forward product has too
few rows for that, dot tiles take W as it is. A whole B that several products read can be packed
before, by `pack_panels`.

C is written, A and B are read, and C must overlap neither. Each element of C is summed over the
same stretches of depth in the same order, whichever part of C is asked for: so threads may share
C in any way without changing a bit.
"""

from typing import NamedTuple

from .jit import inlined, kernel
from .simd import advance, lanes, load_first, pointer, prefetch, store, transpose_block
from .target import ALIGNMENT, VECTOR_BYTES
from .tiles import dot_columns, DOT_ROWS, dot_tile, outer_rows, outer_tile, OUTER_VECTORS

PANEL_DEPTH = 128  # rows of a panel: with 4 vectors of 64 bytes, 32 KB of the first-level cache
PANEL_COLUMNS = 64  # of a panel, at most: 4 vectors of 16
PANEL_SIZE = PANEL_DEPTH * PANEL_COLUMNS
PACK_FROM = 24  # rows of C from which packing a panel pays
# A stretch of depth of so much of A and C stays in the second-level cache while the panels of so
# many columns pass by: 512 x 2048 times 2048 x 2048 at 83 % of the FMA peak, else at 74 %.
BLOCK_ROWS = 512
BLOCK_COLUMNS = 256


class Matrix(NamedTuple):
    """Element (i, j) is at data[i * row_step + j * column_step]; of a packed one, no step is told."""

    data: object  # pointer to element (0, 0)
    rows: int
    columns: int
    row_step: int
    column_step: int  # 0 where it was packed panel by panel


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
    """Columns first .. last-1 of A; of a packed one, from the beginning of a panel on."""
    step = A.column_step if A.column_step != 0 else A.rows
    data = advance(A.data, first * step)
    return Matrix(data, A.rows, last - first, A.row_step, A.column_step)


@kernel
def matmul(alpha, A, B, beta, C, panel):
    """C = alpha A B + beta C; `panel` points to PANEL_SIZE elements of this thread's own."""
    width = OUTER_VECTORS * lanes(C.data)
    packs = B.column_step > 1 or (B.column_step == 1 and C.rows >= PACK_FROM)
    for i in range(0, C.rows, BLOCK_ROWS):
        i_end = min(i + BLOCK_ROWS, C.rows)
        for j in range(0, C.columns, BLOCK_COLUMNS):
            j_end = min(j + BLOCK_COLUMNS, C.columns)
            for k in range(0, B.rows, PANEL_DEPTH):
                A_slab = column_range(row_range(A, i, i_end), k, min(k + PANEL_DEPTH, B.rows))
                for p in range(j, j_end, width):
                    p_end = min(p + width, j_end)
                    b, ahead = _panel(B, k, p, p_end), row_range(B, 0, 0)
                    if packs:
                        ahead = _panel_after(B, k, p_end, j, j_end, width)
                        b = pack(b, panel)
                    C_panel = column_range(row_range(C, i, i_end), p, p_end)
                    multiply_panel(alpha, A_slab, b, beta if k == 0 else 1.0, C_panel, ahead)


@inlined
def _panel(B, k, first, last):
    """At most PANEL_DEPTH rows of B from k on, columns first .. last-1."""
    rows = max(0, min(PANEL_DEPTH, B.rows - k))
    if B.column_step == 0:
        width = OUTER_VECTORS * lanes(B.data)
        row_step = _whole_vectors(min(width, B.columns - first), B.data)
        data = advance(B.data, first * B.rows + k * row_step)
        return Matrix(data, rows, last - first, row_step, 1)
    data = advance(B.data, k * B.row_step + first * B.column_step)
    return Matrix(data, rows, last - first, B.row_step, B.column_step)


@inlined
def _panel_after(B, k, p, j, j_end, width):
    """The panel after the one that ends in column p; after the last one, without a row."""
    if p == j_end:
        k, p = k + PANEL_DEPTH, j
    panel = _panel(B, k, p, min(p + width, j_end))
    return panel if panel.column_step == 1 else transpose(panel)


@kernel
def multiply_panel(alpha, A, B, beta, C, ahead):
    """C = alpha A B + beta C, for a B of at most PANEL_DEPTH rows and a tile's columns.

    Before each tile the memory is asked for a part of another matrix, that which is needed next.
    """
    most = outer_rows(C.data, C.columns)
    n_tiles = (C.rows + most - 1) // most
    # As even as can be: 10 rows are 5 + 5 rather than 6 + 4.
    rows, larger = C.rows // n_tiles, C.rows % n_tiles
    asked = (ahead.rows + n_tiles - 1) // n_tiles
    i = 0
    for tile in range(n_tiles):
        _ask_for_rows(ahead, tile * asked, (tile + 1) * asked)
        height = rows + 1 if tile < larger else rows
        a, c = advance(A.data, i * A.row_step), advance(C.data, i * C.row_step)
        outer_tile(
            height, C.columns, A.columns, a, A.row_step, A.column_step, B.data, B.row_step,
            alpha, beta, c, C.row_step,
        )  # fmt: skip
        i += height


@inlined
def _ask_for_rows(A, first, last):
    """Ask the memory for rows of A, whose columns lie side by side.

    A line comes from the third-level cache in 50 ns, and 16 may be on their way: asked for all at
    once, or only when they are packed, they keep the tiles waiting, 10 % of a large product.
    """
    line = ALIGNMENT // VECTOR_BYTES * lanes(A.data)
    for r in range(first, min(last, A.rows)):
        for c in range(0, A.columns, line):
            prefetch(A.data, r * A.row_step + c)


@kernel
def matmul_transposed(A, B, C):
    """C = A B^T by dot tiles, for few rows or columns of C, where packing B would not pay."""
    n_tiles = (C.rows + DOT_ROWS - 1) // DOT_ROWS
    rows, larger = C.rows // n_tiles, C.rows % n_tiles
    i = 0
    for tile in range(n_tiles):
        height = rows + 1 if tile < larger else rows
        a, c = row_range(A, i, i + height), row_range(C, i, i + height)
        _multiply_rows_transposed(a, B, c)
        i += height


@inlined
def _multiply_rows_transposed(A, B, C):
    """C = A B^T, for at most DOT_ROWS rows."""
    most = dot_columns(C.data, C.rows)
    n_tiles = (C.columns + most - 1) // most
    columns, larger = C.columns // n_tiles, C.columns % n_tiles
    j = 0
    for tile in range(n_tiles):
        width = columns + 1 if tile < larger else columns
        b, c = advance(B.data, j * B.row_step), advance(C.data, j)
        dot_tile(C.rows, width, A.columns, A.data, A.row_step, b, B.row_step, c, C.row_step)
        j += width


@kernel
def pack_panels(B, data):
    """Copy B, panel by panel; return the packed matrix."""
    width = OUTER_VECTORS * lanes(data)
    for j in range(0, B.columns, width):
        pack(column_range(B, j, min(j + width, B.columns)), advance(data, j * B.rows))
    return Matrix(data, B.rows, B.columns, 0, 0)


@inlined
def pack(B, data):
    """Copy B, or transpose it, to where its rows lie densely, in whole vectors; return that."""
    row_step, width = _whole_vectors(B.columns, data), lanes(data)
    if B.column_step == 1:
        for k in range(B.rows):
            for j in range(0, B.columns, width):
                numbers = load_first(B.data, k * B.row_step + j, B.columns - j)
                store(data, k * row_step + j, numbers)
    else:
        for j in range(0, B.columns, width):
            for k in range(0, B.rows, width):
                transpose_block(
                    advance(B.data, j * B.column_step + k), B.column_step,
                    B.columns - j, B.rows - k,
                    advance(data, k * row_step + j), row_step,
                )  # fmt: skip
    return Matrix(data, B.rows, B.columns, row_step, 1)


@inlined
def _whole_vectors(columns, data):
    """So many numbers, rounded up to whole vectors."""
    width = lanes(data)
    return (columns + width - 1) // width * width
