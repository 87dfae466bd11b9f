"""The forward pass: z^l = a^(l-1) (W^l)^T + b^l, a^l = sigma(z^l) (book, equations 25 and 26).

Batches are rows: a^l is (rows, n_l). `forward_layer` reads the parameters and a^(l-1), and
overwrites z^l and a^l; training and inference are loops over it.
"""

from .activations import activate_layer, SOFTMAX
from .jit import inlined, kernel
from .losses import softmax
from .matmul import column_range, matmul, matmul_transposed, matrix, row_range, transpose
from .net import a_matrix, layer_of, open_table, weight_matrix, z_matrix
from .simd import broadcast, fma, lanes, load, load_first, pointer, store_first, sum_lanes

# A forward product is made of dot tiles below so many rows, or up to twice as many where they are
# long, and for few neurons: 37 against 42 us for 32 rows of 784 -> 100, but 1.3 against 0.6 us for
# 32 rows of 32 -> 32.
DOT_ROWS_BELOW = 24
DOT_DEPTH_FROM = 256
DOT_NEURONS_BELOW = 4


@inlined
def forward_layer(net, a_below, l, rows, first, last):
    """z^l and a^l of neurons first .. last-1, from a^(l-1) (rows, n_(l-1))."""
    layer = layer_of(net, l)
    W = row_range(weight_matrix(net, l), first, last)
    z = column_range(z_matrix(net, l, rows), first, last)
    # The whole layer decides, not this thread's part of it: bits must not depend on threads.
    if (
        rows < DOT_ROWS_BELOW
        or (rows < 2 * DOT_ROWS_BELOW and a_below.columns >= DOT_DEPTH_FROM)
        or layer.neurons < DOT_NEURONS_BELOW
    ):
        matmul_transposed(a_below, W, z)
    else:
        matmul(1.0, a_below, transpose(W), 0.0, z, net.panel)
    activate_layer(net, layer, rows, first, last)


@kernel
def forward_block(net, a_0, rows):
    """Run rows a^0 (rows, n_0) through the net, up to z^L, and a^L but for softmax.

    Returns whether all of a^0 is finite.
    """
    a_below = a_0
    for l in range(1, net.depth + 1):
        forward_layer(net, a_below, l, rows, 0, layer_of(net, l).neurons)
        a_below = a_matrix(net, l, rows)
    # NaN or infinity in a row of a^0 shows in each of its z^1, far fewer numbers to look at. So
    # does an overflow, and then a^0 itself tells.
    layer = layer_of(net, 1)
    if is_finite(net.arena, layer.z, layer.z + rows * layer.row_step):
        return True
    for r in range(rows):
        if not is_finite(a_0.data, r * a_0.row_step, r * a_0.row_step + a_0.columns):
            return False
    return True


@kernel
def is_finite(X, start, end):
    """Whether X[start:end] holds neither NaN nor infinity: x * 0 is 0 for all others."""
    width = lanes(X)
    zeros = broadcast(X, 0)
    whole = start + (end - start) // width * width
    for i in range(start, whole, width):
        zeros = fma(load(X, i), 0, zeros)
    zeros = fma(load_first(X, whole, end - whole), 0, zeros)
    return sum_lanes(zeros) == 0


@kernel
def forward(table, parameters, arena, X, out):
    """Output activations of all rows of X (n, n_0) into out (n, n_L), a block at a time.

    `table` is the plan as layout.plan_table gives it. Returns -1, or the first row of a block of X
    in which a number is not finite.
    """
    net = open_table(table, parameters, arena)
    n_rows, n_0, x, y = X.shape[0], X.shape[1], pointer(X, 0), pointer(out, 0)
    output = layer_of(net, net.depth)
    n = output.neurons
    for first in range(0, n_rows, net.rows):
        last = min(first + net.rows, n_rows)
        if not forward_block(net, matrix(x, first * n_0, last - first, n_0, n_0), last - first):
            return first
        for r in range(last - first):
            z_at, a_at = output.z + r * output.row_step, output.a + r * output.row_step
            if output.activation == SOFTMAX:
                softmax(net.arena, z_at, a_at, n)
            for j in range(0, n, lanes(x)):
                store_first(y, (first + r) * n + j, load(net.arena, a_at + j), n - j)
    return -1
