"""The forward pass: z^l = a^(l-1) (W^l)^T + b^l, a^l = sigma(z^l) (book, equations 25 and 26).

Batches are rows: a^l is (rows, n_l). `forward_layer` reads the parameters and a^(l-1), and
overwrites z^l and a^l; training and inference are loops over it.
"""

from .activations import activate, SOFTMAX
from .jit import kernel
from .losses import softmax
from .matmul import column_range, matmul, matrix, row_range, transpose
from .net import a_matrix, layer_of, open_net, weight_matrix, z_matrix
from .simd import broadcast, fma, lanes, load, load_first, pointer, store, store_first, sum_lanes


@kernel
def forward_layer(net, a_below, l, rows, first, last):
    """z^l and a^l of neurons first .. last-1, from a^(l-1) (rows, n_(l-1))."""
    W = row_range(weight_matrix(net, l), first, last)
    z = column_range(z_matrix(net, l, rows), first, last)
    matmul(1.0, a_below, transpose(W), 0.0, z, net.panel)

    layer, arena = layer_of(net, l), net.arena
    for j in range(first, last, lanes(arena)):
        b = load_first(net.parameters, layer.biases + j, layer.neurons - j)
        for r in range(rows):
            at = r * layer.row_step + j
            z_rj = load(arena, layer.z + at) + b
            store(arena, layer.z + at, z_rj)
            store(arena, layer.a + at, activate(layer.activation, z_rj))


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
def forward(plan, parameters, arena, X, out):
    """Output activations of all rows of X (n, n_0) into out (n, n_L), a block at a time.

    Returns -1, or the first row of a block of X in which a number is not finite.
    """
    net = open_net(plan, parameters, arena, 0)
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
