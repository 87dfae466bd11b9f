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

from .activations import derivative
from .batch import finish_row, gather_target
from .forward import arena_matrix, block_is_finite, forward_block, weight_matrix
from .jit import inlined, kernel
from .layout import A, ACTIVATION, BIASES, DELTA, DROPPED, NEURONS, ROW_STEP, WEIGHTS, Z
from .matmul import column_range, matmul, matrix, transpose
from .simd import lanes, load, load_first, store, store_first
from .updates import penalize


@inlined
def error_below(plan, parameters, arena, l, rows, first, last, dropped):
    """BP2: delta^(l-1) = (delta^l W^l) * sigma'(z^(l-1)), of neurons first .. last-1 below.

    Where dropout acts on layer l-1 it has left its factor times sigma'(z) (dropout.py).
    """
    delta = arena_matrix(plan, arena, l, DELTA, rows)
    W = column_range(weight_matrix(plan, parameters, l), first, last)
    delta_below = column_range(arena_matrix(plan, arena, l - 1, DELTA, rows), first, last)
    matmul(delta, W, delta_below, False)

    below = plan.layers[l - 1]
    for r in range(rows):
        for j in range(first, last, lanes(arena)):
            at = r * below[ROW_STEP] + j
            if dropped:
                sigma_prime = load(arena, below[DROPPED] + at)
            else:
                z, a = load(arena, below[Z] + at), load(arena, below[A] + at)
                sigma_prime = derivative(below[ACTIVATION], z, a)
            store(arena, below[DELTA] + at, load(arena, below[DELTA] + at) * sigma_prime)


@kernel
def bias_gradient(plan, arena, l, rows, first, last, nabla_b, at, accumulate):
    """BP3: nabla_b = sum over rows of delta^l, of neurons first .. last-1, to nabla_b[at:]."""
    layer = plan.layers[l]
    for j in range(first, last, lanes(arena)):
        total = load_first(nabla_b, at + j - first, last - j if accumulate else 0)
        for r in range(rows):
            total = total + load(arena, layer[DELTA] + r * layer[ROW_STEP] + j)
        store_first(nabla_b, at + j - first, total, last - j)


@inlined
def weight_gradient(plan, arena, a_below, l, rows, first, last, nabla_w, at, accumulate):
    """BP4: nabla_w = (delta^l)^T a^(l-1), of neurons first .. last-1, to nabla_w[at:]."""
    delta = column_range(arena_matrix(plan, arena, l, DELTA, rows), first, last)
    n_below = a_below.columns
    out = matrix(nabla_w, at, last - first, n_below, n_below)
    matmul(transpose(delta), a_below, out, accumulate)


@inlined
def store_gradient(plan, arena, inputs, l, rows, first, last, gradient, accumulate):
    """BP3 and BP4 of neurons first .. last-1 of layer l, at their places in the flat gradient."""
    layer, n_below = plan.layers[l], plan.layers[l - 1, NEURONS]
    a_below = inputs if l == 1 else arena_matrix(plan, arena, l - 1, A, rows)
    at = layer[WEIGHTS] + first * n_below
    weight_gradient(plan, arena, a_below, l, rows, first, last, gradient, at, accumulate)
    at = layer[BIASES] + first
    bias_gradient(plan, arena, l, rows, first, last, gradient, at, accumulate)


@kernel
def propagate_block(plan, parameters, arena, data, first, last, scale):
    """Forward and BP1 of rows first .. last-1, then BP2 down to delta^1; the sum of costs."""
    rows = last - first
    forward_block(plan, parameters, arena, data.X, first, last)
    cost = 0.0
    for r in range(rows):
        gather_target(plan, data, arena, first + r, r)
        finish_row(plan, arena, r, scale)
        cost += arena[plan.row_costs + r]
    for l in range(plan.layers.shape[0] - 1, 1, -1):
        n_below = plan.layers[l - 1, NEURONS]
        error_below(plan, parameters, arena, l, rows, 0, n_below, False)
    return cost


@inlined
def mean_scale(data):
    """One over the weight of all rows."""
    if data.weights.size:
        total = 0.0
        for w in data.weights:
            total += w
        return 1.0 / total
    return 1.0 / data.X.shape[0]


@kernel
def value_and_grad(plan, parameters, arena, data, l1, l2, gradient):
    """Mean cost of all rows with its penalties, and its gradient: (bad row or -1, cost)."""
    scale = mean_scale(data)
    cost = 0.0
    for first in range(0, data.X.shape[0], plan.rows):
        last = min(first + plan.rows, data.X.shape[0])
        if not block_is_finite(data.X, first, last):
            return first, cost
        cost += scale * propagate_block(plan, parameters, arena, data, first, last, scale)
        n_0 = data.X.shape[1]
        inputs = matrix(data.X, first * n_0, last - first, n_0, n_0)
        for l in range(1, plan.layers.shape[0]):
            n = plan.layers[l, NEURONS]
            store_gradient(plan, arena, inputs, l, last - first, 0, n, gradient, first > 0)
    if l1 != 0.0 or l2 != 0.0:
        for l in range(1, plan.layers.shape[0]):
            at, end = plan.layers[l, WEIGHTS], plan.layers[l, BIASES]
            cost += penalize(parameters, gradient, at, end - at, l1, l2)
    return -1, cost


@kernel
def input_gradient(plan, parameters, arena, data, dX):
    """BP2 once more, below layer 1: dC/dX = delta^1 W^1, of the mean cost; bad row or -1."""
    scale = mean_scale(data)
    n_0 = data.X.shape[1]
    for first in range(0, data.X.shape[0], plan.rows):
        last = min(first + plan.rows, data.X.shape[0])
        if not block_is_finite(data.X, first, last):
            return first
        propagate_block(plan, parameters, arena, data, first, last, scale)
        delta = arena_matrix(plan, arena, 1, DELTA, last - first)
        out = matrix(dX, first * n_0, last - first, n_0, n_0)
        matmul(delta, weight_matrix(plan, parameters, 1), out, False)
    return -1


@kernel
def layer_errors(plan, parameters, arena, data, errors):
    """delta^1 (n, n_1), then delta^2 (n, n_2), ... into one flat array; bad row or -1.

    Those of each example for itself: not divided by the number of rows.
    """
    n_rows = data.X.shape[0]
    for first in range(0, n_rows, plan.rows):
        last = min(first + plan.rows, n_rows)
        if not block_is_finite(data.X, first, last):
            return first
        propagate_block(plan, parameters, arena, data, first, last, 1.0)
        at = 0
        for l in range(1, plan.layers.shape[0]):
            layer = plan.layers[l]
            n = layer[NEURONS]
            for r in range(last - first):
                for j in range(n):
                    delta = arena[layer[DELTA] + r * layer[ROW_STEP] + j]
                    errors[at + (first + r) * n + j] = delta
            at += n_rows * n
    return -1
