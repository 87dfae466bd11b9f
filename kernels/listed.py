"""BP4 where many inputs are 0, by lists (zeros.py): nabla_w^T = (a^(l-1))^T delta^l.

All threads together transpose a^(l-1), and list for each input the rows where it is not 0.
nabla_w^T comes out, by blocks of some neurons, and is transposed in cache. It has the same bits.
"""

from .jit import inlined, kernel
from .layout import BLOCK_SIZE
from .matmul import multiply_listed, SKIP_DEPTH, SKIP_ROWS
from .matrix import (
    column_range,
    Matrix,
    matrix,
    pack,
    pack_panels,
    PANEL_COLUMNS,
    PANEL_DEPTH,
    row_range,
    transpose,
)
from .simd import advance, lanes, parts
from .target import VECTOR_BYTES
from .tiles import OUTER_VECTORS
from .zeros import has_zeros, list_of, list_places

LISTED_FROM = 2 * SKIP_ROWS  # rows; for 32 rows of 784 -> 100 lists cost 7 us more than they save
# Where nothing is 0, lists make a product at so much of the speed of dense tiles; less where
# neurons leave a panel's vectors empty, since one of three takes as long as one of four.
LISTED_SPEED = 0.58 if VECTOR_BYTES == 64 else 0.5
LISTED_INPUTS = BLOCK_SIZE // 2 // PANEL_COLUMNS  # of a block: nabla_w and its transpose fit


@inlined
def suits_lists(a_below, neurons):
    """Whether it pays to leave the zeros of a^(l-1) out of the gradient of so many neurons."""
    is_large = a_below.rows >= LISTED_FROM and a_below.columns >= SKIP_DEPTH
    width = lanes(a_below.data)
    filled = parts(neurons, width) / (OUTER_VECTORS * parts(neurons, OUTER_VECTORS * width))
    return is_large and neurons >= SKIP_ROWS and has_zeros(a_below, 1 - LISTED_SPEED * filled)


@inlined
def has_lists(a_below):
    """Whether this is what `transpose_and_list` returned: elsewhere columns lie side by side."""
    return a_below.row_step == 1


@kernel
def transpose_and_list(net, a_below, first, last):
    """a^(l-1) as a view of its transpose, of which a thread writes inputs first .. last-1."""
    rows, n_below, width = a_below.rows, a_below.columns, lanes(net.arena)
    step = parts(rows, width) * width
    part = transpose(column_range(a_below, first, last))
    a_T = pack(part, advance(net.packed, first * step), step)
    listed = Matrix(net.packed, rows, n_below, 1, step)
    lists = lists_from(listed, first)
    for r in range(0, rows, PANEL_DEPTH):
        list_places(column_range(a_T, r, min(r + PANEL_DEPTH, rows)), lists)
        lists = next_stretch(lists, n_below)
    return listed


@inlined
def lists_from(listed, first):
    """Lists of the first stretch of rows, for inputs from `first` on.

    They lie behind the transposed numbers, and those of the next stretch behind them.
    """
    return list_of(advance(listed.data, listed.columns * listed.column_step), first)


@inlined
def next_stretch(lists, n_below):
    """Lists of the next PANEL_DEPTH rows."""
    return list_of(lists, n_below)


@kernel
def multiply_by_lists(net, delta, a_below, n_below, lists, nabla_w):
    """nabla_w = (delta^l)^T a^(l-1) of some of the n_below inputs, whose lists these are."""
    product = matrix(net.block, BLOCK_SIZE // 2, a_below.columns, delta.columns, PANEL_COLUMNS)
    for r in range(0, delta.rows, PANEL_DEPTH):
        r_end = min(r + PANEL_DEPTH, delta.rows)
        a_T, panel = transpose(row_range(a_below, r, r_end)), row_range(delta, r, r_end)
        panel, nothing = pack_panels(panel, net.panel), row_range(delta, 0, 0)
        multiply_listed(1.0, a_T, lists, panel, 0.0 if r == 0 else 1.0, product, nothing)
        lists = next_stretch(lists, n_below)
    pack(transpose(product), nabla_w.data, nabla_w.row_step)
