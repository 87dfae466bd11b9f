"""The forward pass: z^l = a^(l-1) (W^l)^T + b^l, a^l = sigma(z^l) (book, equation 25).

Batches are rows: a^l is (rows, n_l). Training calls `forward_layer` for a thread's share of
the neurons; inference and gradients of all rows run `forward_block`, some rows at a time. Both
read the parameters and a^(l-1), and overwrite z^l and a^l.
"""

from .activations import activate_layer, SOFTMAX
from .few_neurons import LONG_FROM, multiply_few_neurons, suits_long_tiles, suits_row_lists
from .jit import inlined, kernel
from .layout import BLOCK_SIZE
from .matmul import matmul, matmul_transposed, multiply_panel, SKIP_SHARE, skips_zeros
from .matrix import column_range, matrix, pack, pack_panels, row_range, transpose
from .net import a_matrix, layer_of, open_net, packed_weights, weight_matrix, z_matrix
from .simd import broadcast, fma, lanes, load, load_first, parts, pointer, store_first, sum_lanes
from .softmax import softmax
from .zeros import has_zeros

# A forward product is made of dot tiles below so many rows, or neurons. Up to twice as many rows
# where they are long: 37 against 42 us for 32 rows of 784 -> 100, but 1.3 against 0.6 us for 32
# rows of 32 -> 32. Long rows that few neurons look at are read from end to end, once: 10,000 rows
# from memory, 784 -> 30, in 4.5 ms rather than 5 to 8; but in 3.4 where four fifths of them are 0,
# which packed products leave out. Inference, which packs W once, takes less (few_neurons.py).
DOT_ROWS_BELOW = 24
DOT_NEURONS_BELOW = 4
LONG_NEURONS_BELOW = 33
# But not twice as many where W is larger than the second-level cache, or the rows fill vectors and
# the neurons are many: 32 rows of 1030 -> 1030 at 53 rather than 34 % of the FMA peak, of
# 600 -> 600 at 72 rather than 52.
LARGE_FROM = 1 << 19
MANY_FROM = 256
# Dot tiles fill vectors with inputs, outer tiles with neurons, of which there may be too few: 128
# rows of 512 -> 10 take half of the time by dot tiles, 200 rows of 100 -> 10 in float64 0.8 of it.
# But they must add up the lanes of each sum, which takes as long as so many multiply-adds.
LANES_WORK = 3
# Of a product for up to so many rows, and at least twice as many neurons, a is packed rather than
# W: 784 -> 256 for 64 rows at 84 rather than 72 % of the FMA peak.
TRANSPOSED_ROWS = 256


@inlined
def forward_layer(net, a_below, l, rows, first, last):
    """z^l and a^l of neurons first .. last-1, from a^(l-1) (rows, n_(l-1))."""
    layer = layer_of(net, l)
    weigh(net, a_below, l, rows, first, last, skips_zeros(a_below, layer.neurons))
    activate_layer(net, layer, rows, first, last)


@inlined
def suits_dot_tiles(a_below, neurons, skips):
    """Whether W is best read as it lies, for all neurons; `skips`: else without a's zeros.

    The layer decides, not a thread's part of it: bits must not depend on the number of threads.
    """
    rows, n_below, width = a_below.rows, a_below.columns, lanes(a_below.data)
    if rows < DOT_ROWS_BELOW or neurons < DOT_NEURONS_BELOW:
        return True
    dot_work = neurons * (parts(n_below, width) + LANES_WORK)
    if dot_work < n_below * parts(neurons, width) and not skips:
        return True
    if n_below < LONG_FROM:
        return False
    fills_vectors = rows & (width - 1) == 0
    is_large = neurons * n_below > LARGE_FROM or (fills_vectors and neurons >= MANY_FROM)
    if rows < 2 * DOT_ROWS_BELOW:
        return neurons < LONG_NEURONS_BELOW or not is_large
    return neurons < LONG_NEURONS_BELOW and not skips


@inlined
def weigh(net, a_below, l, rows, first, last, skips):
    """z^l = a^(l-1) (W^l)^T of neurons first .. last-1, still without b^l.

    `skips`: whether it pays to leave out the zeros of a^(l-1).
    """
    layer = layer_of(net, l)
    W = row_range(weight_matrix(net, l), first, last)
    z = column_range(z_matrix(net, l, rows), first, last)
    if suits_dot_tiles(a_below, layer.neurons, skips):
        matmul_transposed(a_below, W, z, net.panel)
    elif net.packs_weights:
        matmul(1.0, a_below, packed_weights(net, l), 0.0, z, net.panel)
    elif 2 * rows <= layer.neurons and rows <= TRANSPOSED_ROWS and not skips:
        # z^T = W a^T: the packed copy is one of a, which is smaller than W. It has the bits of the
        # other product, and lies for now in this thread's block, or else where delta^l will be.
        z_T = matrix(net.arena, layer.delta + first * rows, last - first, rows, rows)
        if net.has_copies and z_T.rows * rows <= BLOCK_SIZE:
            z_T = matrix(net.block, 0, last - first, rows, rows)
        matmul(1.0, W, transpose(a_below), 0.0, z_T, net.panel)
        pack(transpose(z_T), z.data, z.row_step)
    else:
        matmul(1.0, a_below, transpose(W), 0.0, z, net.panel)


@kernel
def pack_weights(net):
    """Pack (W^l)^T of all layers, if so many rows are to come that it pays."""
    for l in range(1, net.depth + 1 if net.packs_weights else 1):
        W_T, packed = transpose(weight_matrix(net, l)), packed_weights(net, l)
        if packed.column_step == 1:
            pack(W_T, packed.data, packed.row_step)
        else:
            pack_panels(W_T, packed.data)


@kernel
def forward_block(net, a_0, rows):
    """Run rows a^0 (rows, n_0) through the net, up to z^L, and a^L but for softmax.

    Returns whether all of a^0 is finite.
    """
    a_below, finite = a_0, True
    for l in range(1, net.depth + 1):
        layer = layer_of(net, l)
        n = layer.neurons
        is_few = net.packs_weights and suits_row_lists(a_below, n)
        if is_few:  # the first rows tell: the memory has been asked for them
            skips = has_zeros(row_range(a_below, 0, 2), SKIP_SHARE)
        else:
            skips = skips_zeros(a_below, n)
        W_T, z = packed_weights(net, l), z_matrix(net, l, rows)
        if is_few and skips:
            multiply_few_neurons(a_below, W_T, z, net.panel)
        elif is_few and suits_long_tiles(a_below, n):
            multiply_panel(1.0, a_below, W_T, 0.0, z, row_range(a_below, 0, 0))
        else:
            weigh(net, a_below, l, rows, 0, n, skips)
        if l == 1:
            finite = is_finite_block(net, a_0, layer, rows)
        activate_layer(net, layer, rows, 0, n)
        a_below = a_matrix(net, l, rows)
    return finite


@kernel
def is_finite_block(net, a_0, layer, rows):
    """Whether all of a^0 is finite, once layer 1 has weighed it.

    NaN or infinity in a row of a^0 shows in each of its z^1, far fewer numbers to look at, before
    sigma may hide it. So does an overflow, and then a^0 itself tells.
    """
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

    Returns -1, or the first row of a block of X in which a number is not finite.
    """
    n_rows, n_0, x, y = X.shape[0], X.shape[1], pointer(X, 0), pointer(out, 0)
    net = open_net(table, parameters, arena, 0, n_rows)
    pack_weights(net)
    output = layer_of(net, net.depth)
    n = output.neurons
    for first in range(0, n_rows, net.rows):
        last = min(first + net.rows, n_rows)
        if not forward_block(net, matrix(x, first * n_0, last - first, n_0, n_0), last - first):
            return first
        for r in range(last - first):
            z_at, a_at = output.z + r * output.row_step, output.a + r * output.row_step
            if output.activation == SOFTMAX:
                softmax(net.arena, z_at, a_at, n, False)
            for j in range(0, n, lanes(x)):
                store_first(y, (first + r) * n + j, load(net.arena, a_at + j), n - j)
    return -1
