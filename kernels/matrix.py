"""Views of matrices in other arrays, and their numbers packed closely together.

A `Matrix` is a view of numbers in somebody else's array: a pointer, a shape and two steps. It
owns nothing, so its array must outlive it. A product reads rows of its second factor a panel at a
time, some columns and some depth of it; `pack_panels` copies such panels, or transposes them, to
where they lie densely.
"""

from typing import NamedTuple

from .jit import inlined, kernel
from .simd import advance, lanes, load_first, parts, pointer, store
from .target import VECTOR_BYTES
from .tiles import OUTER_VECTORS
from .transpose import transpose_block

PANEL_DEPTH = 128  # rows of a panel: with 4 vectors of 64 bytes, 32 KB of the first-level cache
PANEL_COLUMNS = 64  # of a panel, at most: 4 vectors of 16
PANEL_SIZE = PANEL_DEPTH * PANEL_COLUMNS


class Matrix(NamedTuple):
    """Element (i, j) is at data[i * row_step + j * column_step].

    A packed matrix has its panels, of whole vectors, one after the other: its column_step is 0, and
    its row_step the number of rows that were packed, so that panel j begins at j row_step.
    """

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
    step = A.row_step if A.column_step != 0 else OUTER_VECTORS * lanes(A.data)
    data = advance(A.data, first * step)
    return Matrix(data, last - first, A.columns, A.row_step, A.column_step)


@kernel
def column_range(A, first, last):
    """Columns first .. last-1 of A; of a packed one, from the beginning of a panel on."""
    step = A.column_step if A.column_step != 0 else A.row_step
    data = advance(A.data, first * step)
    return Matrix(data, A.rows, last - first, A.row_step, A.column_step)


@inlined
def even_parts(count, most):
    """(n, size, larger): `count` as the fewest parts of at most `most`, as even as can be.

    `larger` of the n parts are of `size`, the others one less: 10 rows are 5 + 5, not 6 + 4.
    """
    n = parts(count, most)
    size = parts(count, n)
    return n, size, count - (size - 1) * n


@inlined
def n_bytes(A):
    """How much memory the numbers of A take."""
    return A.rows * A.columns * (VECTOR_BYTES // lanes(A.data))


@kernel
def pack_panels(B, data):
    """Copy B, panel by panel; return the packed matrix."""
    width = OUTER_VECTORS * lanes(data)
    for j in range(0, B.columns, width):
        pack(column_range(B, j, min(j + width, B.columns)), advance(data, j * B.rows), width)
    return Matrix(data, B.rows, B.columns, B.rows, 0)


@kernel
def pack(B, data, row_step):
    """Copy B, or transpose it, to where its rows lie close together; return that.

    Whole vectors are written, from the last columns to the first, so that a row may begin where
    the one before ends. It is long, so it is no part of those who call it: a tenth of the seconds
    of compiling.
    """
    width = lanes(data)
    if B.column_step == 1:
        for k in range(B.rows):
            for j in range(0, B.columns, width):
                numbers = load_first(B.data, k * B.row_step + j, B.columns - j)
                store(data, k * row_step + j, numbers)
    else:
        n = parts(B.columns, width)
        for i in range(n):
            j = (n - 1 - i) * width
            for k in range(0, B.rows, width):
                transpose_block(
                    advance(B.data, j * B.column_step + k), B.column_step,
                    B.columns - j, B.rows - k,
                    advance(data, k * row_step + j), row_step,
                )  # fmt: skip
    return Matrix(data, B.rows, B.columns, row_step, 1)
