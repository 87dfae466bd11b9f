"""The forward product of few neurons in inference, where W^T lies packed: with zeros and without.

Few neurons fill few vectors, so that a tile over a stretch of a row's places (zeros.py) has few
sums, and each waits for its last addition. So here, where inputs are mostly 0 as on digits, each
row has a list of all its places, and a tile (row_tile.py) runs over it once. W^T comes from the
second-level cache: 784 -> 30 for 10,000 rows in 1.8 ms.
"""

import numpy as np

from .jit import inlined, kernel
from .matmul import SKIP_DEPTH, SKIP_ROWS
from .matrix import PANEL_SIZE
from .row_tile import FEW_VECTORS, places_at_once, row_tile
from .simd import advance, lanes
from .zeros import list_row, places_in

FEW_FROM = 0.5  # neurons, in vectors, from which that pays; of fewer, dot tiles take less time
LONG_FROM = 256  # inputs that make a row long
ROWS_AHEAD = 16  # for which the memory is asked: 50 KB of digits, in the second-level cache


@inlined
def suits_row_lists(a_below, neurons):
    """Whether it would pay to leave out each row's zeros, if there are many.

    A panel has room for a list, and for a vector behind the last place.
    """
    width = lanes(a_below.data)
    is_long = a_below.rows >= SKIP_ROWS and SKIP_DEPTH <= a_below.columns <= PANEL_SIZE
    return is_long and FEW_FROM * width < neurons <= FEW_VECTORS * width


@inlined
def suits_long_tiles(a_below, neurons):
    """Whether a packed W^T is best read from end to end for each tile of rows without zeros.

    Dot tiles read W as often, and add up lanes at the end: 784 -> 30 for 10,000 rows in 4.9 rather
    than 3.8 ms; but 784 -> 16, one vector of neurons, in 2.7 rather than 3.4.
    """
    width = lanes(a_below.data)
    return a_below.columns >= LONG_FROM and width < neurons <= 2 * width


@kernel
def multiply_few_neurons(A, B, C, panel):
    """C = A B, for a B of at most FEW_VECTORS whole vectors of columns."""
    places = places_in(panel, np.uint16)
    at_once = places_at_once(C.columns, lanes(C.data))
    for i in range(A.rows):
        row = advance(A.data, i * A.row_step)
        count = list_row(row, A.columns, places)
        row_tile(
            at_once, C.columns, places, count, row, B.data, B.row_step,
            advance(C.data, i * C.row_step), advance(row, ROWS_AHEAD * A.row_step),
        )  # fmt: skip
