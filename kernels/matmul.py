"""The matrix products of backpropagation, from register tiles (tiles.py).

There are three:

    forward          z = a W^T               B = W^T has its columns side by side in memory
    delta back       delta W                 B = W has its rows side by side
    weight gradient  delta^T a               B = a has its rows side by side

Outer tiles want rows of B, a panel of some columns and some depth at a time. A panel that many
tiles will read is first packed (matrix.py), to where it stays in the first-level cache; meanwhile
the memory is asked for the next one. Where a forward product has too few rows for that, dot tiles
take W as it is. What is 0 in A is left out where that pays (zeros.py).

C is written, A and B are read, and C must overlap neither. Each element of C is summed over the
same stretches of depth in the same order, whichever part of C is asked for: so threads may share
C in any way without changing a bit.
"""

from .jit import inlined, kernel
from .listed_tile import LISTED_ROWS, listed_tile, LISTED_VECTORS
from .matrix import (
    column_range,
    even_parts,
    Matrix,
    n_bytes,
    pack_panels,
    PANEL_DEPTH,
    PANEL_SIZE,
    row_range,
    transpose,
)
from .one_row import fits_list, multiply_row_transposed, outer_product
from .prefetch import ask_for_rows
from .simd import advance, lanes, parts
from .target import VECTOR_BYTES
from .tiles import (
    dot_columns,
    DOT_ROWS,
    dot_tile,
    outer_rows,
    outer_tile,
    OUTER_VECTORS,
)
from .zeros import has_zeros, LIST_BYTES, list_of, list_places

FEW_COLUMNS = 4  # of C: a tile's vectors would be almost empty
# Rows of B that lie side by side are packed only for so many rows of C, and where B takes more than
# half of the second-level cache: 64 rows times 256 x 128 at 0.85 of the time without, 512 rows
# times 1024 x 1024 at 1.08. Processors without AVX-512 have smaller caches: by AVX2, 128 rows times
# 512 x 512 at 0.93 of the time with it.
PACK_FROM = 128
PACK_BYTES = 1 << 20 if VECTOR_BYTES == 64 else 1 << 18
# Numbers of float32 that panels may have together, so that the first-level cache has room beside:
# by AVX2, 4 of 32 KB. Where it had 8, a step of digits by the drop-in took 1.02 times as long.
PANELS_ROOM = PANEL_SIZE if VECTOR_BYTES == 64 else PANEL_SIZE * 7 // 8
# A stretch of depth of so much of A and C stays in the second-level cache while the panels of so
# many columns pass by: 512 x 2048 times 2048 x 2048 at 83 % of the FMA peak, else at 74 %.
BLOCK_ROWS = 512
BLOCK_COLUMNS = 256
# Rows, depth and columns from which zeros are looked for: a look costs as much as a small tile.
SKIP_ROWS = 24
SKIP_DEPTH = 64
SKIP_COLUMNS = 24
SKIP_SHARE = 0.4  # and the share of places that must be 0
# What a thread needs for a product: a panel, and behind it the lists of a block of rows (zeros.py).
LISTS_SIZE = BLOCK_ROWS * LIST_BYTES // 4
ROOM = PANEL_SIZE + LISTS_SIZE


@kernel
def matmul(alpha, A, B, beta, C, panel):
    """C = alpha A B + beta C; `panel` points to ROOM elements of this thread's own.

    Where alpha is 1 and beta 0, C is not read, and may hold anything.
    """
    if C.rows == 0 or C.columns == 0:  # a thread that has no share
        return
    if A.columns == 1 and B.column_step == 1:
        outer_product(alpha, A, B, beta, C, panel)
        return
    is_narrow = C.columns <= FEW_COLUMNS and C.rows * C.columns <= PANEL_SIZE
    if is_narrow and A.row_step == 1 and B.column_step != 0:
        _matmul_few_columns(alpha, A, B, beta, C, panel)
        return
    is_dense = B.column_step == 1 and B.row_step <= OUTER_VECTORS * lanes(C.data)
    if not is_dense and skips_zeros(A, C.columns):
        _matmul_by_lists(alpha, A, B, beta, C, panel, B.column_step != 0)
    else:
        is_large = C.rows >= PACK_FROM and n_bytes(B) > PACK_BYTES
        packs = B.column_step > 1 or (B.column_step == 1 and is_large)
        _multiply_panels(alpha, A, B, beta, C, panel, packs, False)


@kernel
def _matmul_by_lists(alpha, A, B, beta, C, panel, packs):
    """The same without A's zeros; by itself, since as a branch it took 4 % of the smallest nets."""
    _multiply_panels(alpha, A, B, beta, C, panel, packs, True)


@inlined
def _multiply_panels(alpha, A, B, beta, C, panel, packs, skips):
    """C = alpha A B + beta C, a panel of B after the other; `skips`: by lists of A's places."""
    lists = list_of(advance(panel, PANEL_SIZE), 0)
    width = columns_at_once(C, B.rows)
    group = width
    while group < BLOCK_COLUMNS:
        group += width
    for i in range(0, C.rows, BLOCK_ROWS):
        i_end = min(i + BLOCK_ROWS, C.rows)
        for j in range(0, C.columns, group):
            j_end = min(j + group, C.columns)
            for k in range(0, B.rows, PANEL_DEPTH):
                A_slab = column_range(row_range(A, i, i_end), k, min(k + PANEL_DEPTH, B.rows))
                if skips:
                    list_places(A_slab, lists)
                for p in range(j, j_end, width):
                    p_end = min(p + width, j_end)
                    b, ahead = _panel(B, k, p, p_end), row_range(B, 0, 0)
                    if packs:
                        ahead = _panel_after(B, k, p_end, j, j_end, width)
                        b = pack_panels(b, panel)
                    C_panel = column_range(row_range(C, i, i_end), p, p_end)
                    beta_here = beta if k == 0 else 1.0
                    if skips:
                        multiply_listed(alpha, A_slab, lists, b, beta_here, C_panel, ahead)
                    else:
                        multiply_panel(alpha, A_slab, b, beta_here, C_panel, ahead)


@inlined
def columns_at_once(C, depth):
    """Of how many columns the panels, of so much depth, stay in the first-level cache together."""
    width = OUTER_VECTORS * lanes(C.data)
    room = PANELS_ROOM * lanes(C.data) * 4 // VECTOR_BYTES  # in float64 half as many numbers
    depth = max(1, min(depth, PANEL_DEPTH))
    panels = parts(room + 1, width * depth) - 1  # as many as there is room for
    return width * max(1, panels)


@inlined
def skips_zeros(A, columns):
    """Whether it pays to leave the zeros of A out of a product of so many columns.

    Two fifths 0: 1.1 times as fast; half, as after relu: 1.4; four fifths, as digits have: 2.7.
    """
    is_large = A.rows >= SKIP_ROWS and A.columns >= SKIP_DEPTH and columns >= SKIP_COLUMNS
    return is_large and A.column_step == 1 and has_zeros(A, SKIP_SHARE)


@inlined
def _matmul_few_columns(alpha, A, B, beta, C, panel):
    """C = alpha A B + beta C by the transpose of B^T A^T, where A^T has its rows side by side.

    The gradient of 64 neurons with 2 inputs took 4.1 us for 128 rows, and takes 0.6.
    """
    product = Matrix(panel, C.columns, C.rows, C.rows, 1)
    for i in range(C.rows if beta != 0.0 else 0):
        for j in range(C.columns):
            panel[j * C.rows + i] = C.data[i * C.row_step + j]
    for k in range(0, B.rows, PANEL_DEPTH):
        k_end = min(k + PANEL_DEPTH, B.rows)
        b, a = transpose(row_range(B, k, k_end)), transpose(column_range(A, k, k_end))
        multiply_panel(alpha, b, a, beta if k == 0 else 1.0, product, row_range(B, 0, 0))
    for i in range(C.rows):
        for j in range(C.columns):
            C.data[i * C.row_step + j] = panel[j * C.rows + i]


@inlined
def _panel(B, k, first, last):
    """At most PANEL_DEPTH rows of B from k on, columns first .. last-1."""
    return row_range(column_range(B, first, last), k, max(k, min(k + PANEL_DEPTH, B.rows)))


@inlined
def _panel_after(B, k, p, j, j_end, width):
    """The panel after the one that ends in column p; after the last one, without a row."""
    if p == j_end:
        k, p = k + PANEL_DEPTH, j
    panel = _panel(B, k, p, min(p + width, j_end))
    return panel if panel.column_step == 1 else transpose(panel)


@kernel
def multiply_panel(alpha, A, B, beta, C, ahead):
    """C = alpha A B + beta C, for a panel B; from the last rows of C to the first.

    The weights that a forward product read last are those that the update finds in the first-level
    cache: for one example at a time, half of them. Meanwhile the memory is asked for the rows of
    another matrix.
    """
    width = OUTER_VECTORS * lanes(C.data)
    n_tiles, rows, larger = even_parts(C.rows, outer_rows(C.data, C.columns))
    asked = parts(ahead.rows, n_tiles)
    i = C.rows
    for tile in range(n_tiles):
        ask_for_rows(ahead, tile * asked, (tile + 1) * asked)
        height = rows if tile < larger else rows - 1
        i -= height
        a, c = advance(A.data, i * A.row_step), advance(C.data, i * C.row_step)
        for j in range(0, C.columns, width):
            columns = min(width, C.columns - j)
            b = column_range(B, j, j + columns)
            b_row = B.row_step if B.column_step == 1 else width
            outer_tile(
                height, columns, A.columns, a, A.row_step, A.column_step, b.data, b_row,
                alpha, beta, advance(c, j), C.row_step,
            )  # fmt: skip


@kernel
def multiply_listed(alpha, A, lists, B, beta, C, ahead):
    """The same by the lists of A's places that are not 0, for packed panels, some at a time."""
    b_panel = OUTER_VECTORS * lanes(C.data) * B.row_step
    asked = parts(ahead.rows, A.rows)
    # As few tiles as can be, as even as can be, of whole panels.
    vectors = parts(C.columns, lanes(C.data))
    vectors = OUTER_VECTORS * parts(vectors, OUTER_VECTORS * parts(vectors, LISTED_VECTORS))
    width, height = vectors * lanes(C.data), min(LISTED_ROWS, LISTED_VECTORS // vectors)
    for i in range(0, A.rows, height):
        ask_for_rows(ahead, i * asked, (i + height) * asked)
        a, c = advance(A.data, i * A.row_step), advance(C.data, i * C.row_step)
        for j in range(0, C.columns, width):
            listed_tile(
                min(height, A.rows - i), min(width, C.columns - j), list_of(lists, i),
                a, A.row_step, A.column_step, column_range(B, j, j + width).data, b_panel,
                alpha, beta, advance(c, j), C.row_step,
            )  # fmt: skip


@kernel
def matmul_transposed(A, B, C, panel):
    """C = A B^T by dot tiles, for few rows or columns of C, where packing B would not pay."""
    if C.rows == 0 or C.columns == 0:  # a thread that has no share
        return
    if A.rows == 1 and fits_list(A):
        multiply_row_transposed(A, B, C, panel)
        return
    n_tiles, rows, larger = even_parts(C.rows, DOT_ROWS)
    i = 0
    for tile in range(n_tiles):
        height = rows if tile < larger else rows - 1
        _multiply_rows_transposed(row_range(A, i, i + height), B, row_range(C, i, i + height))
        i += height


@inlined
def _multiply_rows_transposed(A, B, C):
    """C = A B^T, for at most DOT_ROWS rows."""
    n_tiles, columns, larger = even_parts(C.columns, dot_columns(C.data, C.rows))
    j = 0
    for tile in range(n_tiles):
        width = columns if tile < larger else columns - 1
        b, c = advance(B.data, j * B.row_step), advance(C.data, j)
        dot_tile(C.rows, width, A.columns, A.data, A.row_step, b, B.row_step, c, C.row_step)
        j += width
