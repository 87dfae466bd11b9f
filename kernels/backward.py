"""Backpropagation: BP1 to BP4 of the book's chapter 2, for a batch of rows at a time.

    BP1   delta^L = nabla_a C * sigma'(z^L)                     losses.py, with the cost
    BP2   delta^(l-1) = (delta^l W^l) * sigma'(z^(l-1))         error_below
    BP3   nabla_b^l = sum over rows of delta^l                  bias_gradient
    BP4   nabla_w^l = (delta^l)^T a^(l-1)                       weight_gradient

The book has BP2 as delta^l from delta^(l+1), one column vector for one example; here examples are
rows, so its (W^T delta) is delta W. Each delta already holds the factor w_i / sum w of its row,
so that the sums over rows are the mean gradient. Reads the parameters, z, a and delta^L;
overwrites the other deltas and, where one is asked for, the gradient.
"""

from .activations import multiply_by_derivative
from .batch import finish_rows, gather_target, total
from .dropout import multiply_by_dropped
from .forward import forward_block, pack_weights
from .jit import inlined, kernel
from .matmul import matmul
from .matrix import column_range, matrix, transpose
from .net import a_matrix, delta_matrix, layer_of, open_data, open_net, rows_of, weight_matrix
from .simd import broadcast, lanes, load, load_first, pointer, store_first
from .updates import penalize, penalty


@inlined
def error_below(net, l, rows, first, last, dropped):
    """BP2: delta^(l-1) = (delta^l W^l) * sigma'(z^(l-1)), of neurons first .. last-1 below.

    Where dropout acts on layer l-1 it has left its factor times sigma'(z) (dropout.py).
    """
    W = column_range(weight_matrix(net, l), first, last)
    delta_below = column_range(delta_matrix(net, l - 1, rows), first, last)
    matmul(1.0, delta_matrix(net, l, rows), W, 0.0, delta_below, net.panel)

    below = layer_of(net, l - 1)
    if dropped:
        multiply_by_dropped(net.arena, below, rows, first, last)
    else:
        multiply_by_derivative(net.arena, below, rows, first, last)


@kernel
def bias_gradient(net, l, rows, first, last, nabla_b, accumulate):
    """BP3: nabla_b = sum over rows of delta^l, of neurons first .. last-1; nabla_b a pointer."""
    layer, arena = layer_of(net, l), net.arena
    step, in_fours = layer.row_step, rows - rows % 4
    for j in range(first, last, lanes(nabla_b)):
        total, row = broadcast(nabla_b, 0), layer.delta + j
        for r in range(0, in_fours, 4):  # one after the other, each sum would wait for the last
            at = row + r * step
            pair = load(arena, at) + load(arena, at + step)
            total = total + (pair + (load(arena, at + 2 * step) + load(arena, at + 3 * step)))
        for r in range(in_fours, rows):
            total = total + load(arena, row + r * step)
        if accumulate:  # the sum of a block to those before: one by one, many rows would be lost
            total = total + load_first(nabla_b, j - first, last - j)
        store_first(nabla_b, j - first, total, last - j)


@inlined
def weight_gradient(net, a_below, l, rows, first, last, nabla_w, accumulate):
    """BP4: nabla_w = (delta^l)^T a^(l-1), of neurons first .. last-1; nabla_w a pointer."""
    delta = column_range(delta_matrix(net, l, rows), first, last)
    n_below = a_below.columns
    out = matrix(nabla_w, 0, last - first, n_below, n_below)
    matmul(1.0, transpose(delta), a_below, 1.0 if accumulate else 0.0, out, net.panel)


@inlined
def store_gradient(net, a_below, l, rows, first, last, gradient, accumulate):
    """BP3 and BP4 of neurons first .. last-1 of layer l, at their places in the flat gradient."""
    layer = layer_of(net, l)
    nabla_w = pointer(gradient, layer.weights + first * a_below.columns)
    weight_gradient(net, a_below, l, rows, first, last, nabla_w, accumulate)
    nabla_b = pointer(gradient, layer.biases + first)
    bias_gradient(net, l, rows, first, last, nabla_b, accumulate)


@kernel
def propagate_block(net, examples, first, last, scale):
    """Forward and BP1 of rows first .. last-1, BP2 down to delta^1: (X is finite, sum of costs)."""
    rows = last - first
    if not forward_block(net, rows_of(examples, first, last), rows):
        return False, 0.0
    for r in range(rows):
        gather_target(net, examples, first + r, r)
    finish_rows(net, 0, rows, scale)  # BP1
    for l in range(net.depth, 1, -1):
        error_below(net, l, rows, 0, layer_of(net, l - 1).neurons, False)
    return True, total(net, net.row_costs, rows)


@inlined
def mean_scale(examples):
    """One over the weight of all rows."""
    if not examples.has_weights:
        return 1.0 / examples.rows
    total = 0.0
    for r in range(examples.rows):
        total += examples.weights[r]
    return 1.0 / total


@kernel
def value_and_grad(table, parameters, arena, data, l1, l2, gradient):
    """Mean cost of all rows with its penalties, and its gradient: (bad row or -1, cost)."""
    examples, nabla = open_data(data), pointer(gradient, 0)
    net = open_net(table, parameters, arena, 0, examples.rows)
    pack_weights(net)
    scale = mean_scale(examples)
    cost = 0.0
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        finite, block_cost = propagate_block(net, examples, first, last, scale)
        if not finite:
            return first, cost
        cost += scale * block_cost
        rows, a_below = last - first, rows_of(examples, first, last)
        for l in range(1, net.depth + 1):
            n = layer_of(net, l).neurons
            store_gradient(net, a_below, l, rows, 0, n, nabla, first > 0)
            a_below = a_matrix(net, l, rows)
    return -1, cost + add_penalties(table, parameters, arena, l1, l2, gradient)


@kernel
def add_penalties(table, parameters, arena, l1, l2, gradient):
    """Add the derivative of l1 sum |w| + l2/2 sum w^2 to a gradient; return that cost."""
    net, nabla = open_net(table, parameters, arena, 0, 0), pointer(gradient, 0)
    cost = 0.0
    if l1 != 0.0 or l2 != 0.0:
        for l in range(1, net.depth + 1):
            layer = layer_of(net, l)
            count = layer.biases - layer.weights
            cost += penalty(net.parameters, layer.weights, count, l1, l2)
            penalize(net.parameters, nabla, layer.weights, count, l1, l2)
    return cost


@kernel
def input_gradient(table, parameters, arena, data, dX):
    """BP2 once more, below layer 1: dC/dX = delta^1 W^1, of the mean cost; bad row or -1."""
    net, examples, out = open_net(table, parameters, arena, 0, 0), open_data(data), pointer(dX, 0)
    scale, n_0 = mean_scale(examples), examples.columns
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        if not propagate_block(net, examples, first, last, scale)[0]:
            return first
        dX_block = matrix(out, first * n_0, last - first, n_0, n_0)
        delta = delta_matrix(net, 1, last - first)
        matmul(1.0, delta, weight_matrix(net, 1), 0.0, dX_block, net.panel)
    return -1


@kernel
def layer_errors(table, parameters, arena, data, errors):
    """delta^1 (n, n_1), then delta^2 (n, n_2), ... into one flat array; bad row or -1.

    Those of each example for itself: not divided by the number of rows.
    """
    net, examples = open_net(table, parameters, arena, 0, 0), open_data(data)
    out = pointer(errors, 0)
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        if not propagate_block(net, examples, first, last, 1.0)[0]:
            return first
        at = 0
        for l in range(1, net.depth + 1):
            layer = layer_of(net, l)
            n = layer.neurons
            for r in range(last - first):
                for j in range(n):
                    delta = net.arena[layer.delta + r * layer.row_step + j]
                    out[at + (first + r) * n + j] = delta
            at += examples.rows * n
    return -1
