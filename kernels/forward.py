"""The forward pass: z^l = a^(l-1) (W^l)^T + b^l, a^l = sigma(z^l) (book, equations 25 and 26).

Batches are rows: a^l is (rows, n_l). Reads the parameters and a^0; overwrites every z^l and a^l.
"""

import numpy as np

from .activations import SOFTMAX, activate
from .dropout import draw_mask
from .jit import kernel
from .layout import (
    A,
    ACTIVATION,
    BIASES,
    MASK,
    NEURONS,
    ROW_STEP,
    WEIGHTS,
    Z,
)
from .losses import output_error, softmax
from .matmul import column_range, matmul, matrix, transpose, row_range
from .simd import broadcast, fma, lanes, load, load_first, store, store_first, sum_lanes
from .threads import share, wait_for_all


@kernel
def gather_rows(X, order, first, a_at, row_step, arena, begin, end):
    """Copy rows order[first + begin .. first + end - 1] of X into a^0; False if one is not finite.

    x * 0 is 0 for a finite x and NaN otherwise: the sum over all tells, for one multiply-add a
    vector, while the row is in registers anyway.
    """
    n = X.shape[1]
    width = lanes(arena)
    zeros = broadcast(arena, 0)
    whole = n // width * width
    for r in range(begin, end):
        source = order[first + r] * n
        target = a_at + r * row_step
        for j in range(0, whole, width):
            x = load(X, source + j)
            zeros = fma(x, 0, zeros)
            store(arena, target + j, x)
        if whole < n:
            x = load_first(X, source + whole, n - whole)
            zeros = fma(x, 0, zeros)
            store(arena, target + whole, x)
    return sum_lanes(zeros) == 0
