"""The forward pass: z^l = a^(l-1) (W^l)^T + b^l, a^l = sigma(z^l) (book, equations 25 and 26).

Batches are rows: a^l is (rows, n_l). `forward_layer` reads the parameters and a^(l-1), and
overwrites z^l and a^l; training and inference are loops over it.
"""

from .activations import activate, SOFTMAX
from .jit import inlined, kernel
from .layout import A, ACTIVATION, BIASES, NEURONS, ROW_STEP, WEIGHTS, Z
from .losses import softmax
from .matmul import column_range, matmul, matrix, row_range, transpose
from .simd import broadcast, fma, lanes, load, load_first, store, store_first, sum_lanes


@kernel
def weight_matrix(plan, parameters, l):
    """W^l (n_l, n_(l-1))."""
    n, n_below = plan.layers[l, NEURONS], plan.layers[l - 1, NEURONS]
    return matrix(parameters, plan.layers[l, WEIGHTS], n, n_below, n_below)


@kernel
def arena_matrix(plan, arena, l, what, rows):
    """z^l, a^l or delta^l (rows, n_l): `what` is Z, A or DELTA."""
    layer = plan.layers[l]
    return matrix(arena, layer[what], rows, layer[NEURONS], layer[ROW_STEP])


@inlined
def forward_layer(plan, parameters, arena, a_below, l, rows, first, last):
    """z^l and a^l of neurons first .. last-1, from a^(l-1) (rows, n_(l-1))."""
    layer = plan.layers[l]
    W = row_range(weight_matrix(plan, parameters, l), first, last)
    z = column_range(arena_matrix(plan, arena, l, Z, rows), first, last)
    matmul(a_below, transpose(W), z, False)

    activation, n, row_step = layer[ACTIVATION], layer[NEURONS], layer[ROW_STEP]
    for j in range(first, last, lanes(arena)):
        b = load_first(parameters, layer[BIASES] + j, n - j)
        for r in range(rows):
            at = r * row_step + j
            z_rj = load(arena, layer[Z] + at) + b
            store(arena, layer[Z] + at, z_rj)
            store(arena, layer[A] + at, activate(activation, z_rj))


@kernel
def block_is_finite(X, first, last):
    """Whether rows first .. last-1 of X hold neither NaN nor infinity: x * 0 is 0 for others."""
    width = lanes(X)
    start, end = first * X.shape[1], last * X.shape[1]
    zeros = broadcast(X, 0)
    whole = start + (end - start) // width * width
    for i in range(start, whole, width):
        zeros = fma(load(X, i), 0, zeros)
    zeros = fma(load_first(X, whole, end - whole), 0, zeros)
    return sum_lanes(zeros) == 0


@kernel
def forward_block(plan, parameters, arena, X, first, last):
    """Run rows first .. last-1 of X through the net, up to z^L, and a^L but for softmax."""
    rows = last - first
    below = matrix(X, first * X.shape[1], rows, X.shape[1], X.shape[1])
    for l in range(1, plan.layers.shape[0]):
        forward_layer(plan, parameters, arena, below, l, rows, 0, plan.layers[l, NEURONS])
        below = arena_matrix(plan, arena, l, A, rows)


@kernel
def forward(plan, parameters, arena, X, out):
    """Output activations of all rows of X (n, n_0) into out (n, n_L), a block at a time.

    Returns -1, or the first row of a block of X in which a number is not finite.
    """
    output = plan.layers[-1]
    n, row_step = output[NEURONS], output[ROW_STEP]
    for first in range(0, X.shape[0], plan.rows):
        last = min(first + plan.rows, X.shape[0])
        if not block_is_finite(X, first, last):
            return first
        forward_block(plan, parameters, arena, X, first, last)
        for r in range(last - first):
            z_at, a_at = output[Z] + r * row_step, output[A] + r * row_step
            if output[ACTIVATION] == SOFTMAX:
                softmax(arena, z_at, a_at, n)
            for j in range(0, n, lanes(arena)):
                store_first(out, (first + r) * n + j, load(arena, a_at + j), n - j)
    return -1
