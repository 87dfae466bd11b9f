"""The products of one example: a row of x with all rows of W, and x with a column of errors.

Vectors of x that are all 0 are passed over: a list says where the others stand. In the rows of
handwritten digits a quarter of them are, and more in sparse ones. What is left behind the last
whole vector is always multiplied.
"""

import numpy as np

from .jit import inlined
from .matrix import even_parts, PANEL_SIZE
from .simd import advance, fma, lanes, load, load_first, store, store_first
from .tiles import dot_columns, dot_tile_at
from .zeros import list_vectors, places_in


@inlined
def fits_list(x):
    """Whether the panel has room for a list of a row's vectors."""
    return x.columns < PANEL_SIZE * lanes(x.data)


@inlined
def outer_product(alpha, A, B, beta, C, panel):
    """C = alpha A B + beta C, of one column A and one row B, from the last row of C to the first.

    A tile would begin and end for two multiply-adds a vector: 1.6 against 1.0 us for 30 x 784.
    """
    width = lanes(C.data)
    whole = C.columns // width * width
    places, count = places_in(panel, np.int32), whole // width
    if beta == 1.0 and fits_list(B):
        count = list_vectors(B.data, whole, places)
    skips = count * width < whole
    for i in range(C.rows - 1, -1, -1):
        a, c = alpha * A.data[i * A.row_step], advance(C.data, i * C.row_step)
        if beta == 0.0:
            for j in range(0, whole, width):
                store(c, j, load(B.data, j) * a)
        elif skips:
            for n in range(count):
                at = places[n]
                store(c, at, load(c, at) + load(B.data, at) * a)
        else:
            for j in range(0, whole, width):
                store(c, j, fma(load(c, j), beta, load(B.data, j) * a))
        if whole < C.columns:
            left = C.columns - whole
            b = load_first(B.data, whole, left) * a
            b = b if beta == 0.0 else fma(load_first(c, whole, left), beta, b)
            store_first(c, whole, b, left)


@inlined
def multiply_row_transposed(A, B, C, panel):
    """C = A B^T, for one row A, by dot tiles."""
    width = lanes(A.data)
    places = places_in(panel, np.int32)
    count = list_vectors(A.data, A.columns // width * width, places)
    n_tiles, columns, larger = even_parts(C.columns, dot_columns(C.data, 1))
    j = 0
    for tile in range(n_tiles):
        n = columns if tile < larger else columns - 1
        b, c = advance(B.data, j * B.row_step), advance(C.data, j)
        dot_tile_at(n, places, count, A.columns, A.data, b, B.row_step, c)
        j += n
