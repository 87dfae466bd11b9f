"""Hessian-vector products by the R-operator, exact (Pearlmutter 1994, "Fast exact multiplication").

R{f} is the derivative of f(w + t v) by t at t = 0, so that R{gradient} = H v. Applied to the
equations of the forward pass and to BP1 to BP4, with V^l and c^l the parts of v that belong to
W^l and b^l, and e^(l-1) = delta^l W^l:

    R{z^l}         = R{a^(l-1)} W^l.T + a^(l-1) V^l.T + c^l,    R{a^0} = 0        r_forward_layer
    R{a^l}         = sigma'(z^l) * R{z^l}                                         r_forward_layer
    R{delta^L}     = the derivative of BP1 by z^L, times R{z^L}                   r_output_error
    R{e^(l-1)}     = R{delta^l} W^l + delta^l V^l                                 r_error_below
    R{delta^(l-1)} = R{e^(l-1)} * sigma' + e^(l-1) * sigma'' * R{z^(l-1)}         r_error_below
    R{nabla_b^l}   = sum over rows of R{delta^l}
    R{nabla_w^l}   = R{delta^l}.T a^(l-1) + delta^l.T R{a^(l-1)}

R of a number lies where the number itself lies, in a second arena with the same plan; v has the
layout of the parameters. So `r_net` is the net with those two arrays, and the functions of the
first derivatives work on it. It costs about twice a gradient.
"""

from .activations import biases, derivative, rows_at_once, second_derivative, SOFTMAX
from .backward import bias_gradient, mean_scale, weight_gradient
from .batch import finish_rows, forget_row, gather_target
from .forward import forward_block
from .jit import inlined, kernel
from .losses import cost_derivative, cost_second_derivative, CROSS_ENTROPY
from .matmul import matmul
from .matrix import transpose
from .net import (
    a_matrix,
    delta_matrix,
    layer_of,
    open_data,
    open_net,
    rows_of,
    weight_matrix,
    z_matrix,
)
from .simd import (
    advance,
    broadcast,
    broadcast_like,
    first_lanes,
    fma,
    lanes,
    load,
    load_first,
    pointer,
    select,
    store,
    store_first,
    sum_lanes,
)


@kernel
def r_forward_layer(net, r_net, a_below, l, rows):
    """R{z^l} and R{a^l} from a^(l-1), R{a^(l-1)}, z^l and a^l."""
    layer, arena, r_arena = layer_of(net, l), net.arena, r_net.arena
    r_z = z_matrix(r_net, l, rows)
    matmul(1.0, a_below, transpose(weight_matrix(r_net, l)), 0.0, r_z, net.panel)
    if l > 1:
        r_a_below = a_matrix(r_net, l - 1, rows)
        matmul(1.0, r_a_below, transpose(weight_matrix(net, l)), 1.0, r_z, net.panel)
    for j in range(0, layer.neurons, lanes(arena)):
        c = biases(r_net.parameters, layer, j)
        for r in range(0, rows, rows_at_once(layer, arena)):
            at = r * layer.row_step + j
            r_z_j = load(r_arena, layer.z + at) + c
            z, a = load(arena, layer.z + at), load(arena, layer.a + at)
            store(r_arena, layer.z + at, r_z_j)
            store(r_arena, layer.a + at, derivative(layer.activation, z, a) * r_z_j)


@inlined
def _row_sum(each, n_left):
    """Sum of the first n_left lanes."""
    return sum_lanes(select(first_lanes(each, n_left), each, broadcast_like(each, 0)))


@kernel
def r_softmax_error(net, r_net, at, y_at, scale):
    """R{delta^L} of a row whose output is a softmax; leaves R{a^L} too.

    R{a_j} = a_j (R{z_j} - sum_k a_k R{z_k}).
    Cross-entropy: delta_j = a_j sum_k y_k - y_j, so R{delta_j} = R{a_j} sum_k y_k.
    Quadratic: delta_j = a_j (g_j - s), g = a - y, s = sum_k g_k a_k, so
    R{delta_j} = R{a_j} (g_j - s) + a_j (R{a_j} - R{s}), R{s} = sum_k (R{a_k} a_k + g_k R{a_k}).
    """
    output, arena, r_arena = layer_of(net, net.depth), net.arena, r_net.arena
    n, width = output.neurons, lanes(arena)
    mean = arena[0] * 0
    for j in range(0, n, width):
        a, r_z = load(arena, output.a + at + j), load(r_arena, output.z + at + j)
        mean += _row_sum(a * r_z, n - j)
    targets, s, r_s = arena[0] * 0, arena[0] * 0, arena[0] * 0
    for j in range(0, n, width):
        a, y = load(arena, output.a + at + j), load(arena, y_at + j)
        r_a = a * (load(r_arena, output.z + at + j) - broadcast(arena, mean))
        store(r_arena, output.a + at + j, r_a)
        targets += _row_sum(y, n - j)
        s += _row_sum((a - y) * a, n - j)
        r_s += _row_sum(r_a * (a + a - y), n - j)
    for j in range(0, n, width):
        a, r_a = load(arena, output.a + at + j), load(r_arena, output.a + at + j)
        g = a - load(arena, y_at + j)
        if net.loss == CROSS_ENTROPY:
            r_delta = r_a * broadcast(arena, targets)
        else:
            r_delta = fma(r_a, g - broadcast(arena, s), a * (r_a - broadcast(arena, r_s)))
        store(r_arena, output.delta + at + j, r_delta * scale)


@kernel
def r_output_error(net, r_net, r, scale):
    """R{delta^L} of row r: R of BP1, of the cost times `scale` times the row's weight.

    Where the cost is a function of each output for itself, delta = C'(a) sigma'(z), and
    R{delta} = (C''(a) sigma'(z)^2 + C'(a) sigma''(z)) R{z}. Cross-entropy with sigmoid has
    delta = a - y, so R{delta} = R{a}.
    """
    output, arena, r_arena = layer_of(net, net.depth), net.arena, r_net.arena
    at = r * output.row_step
    y_at, scale = net.targets + at, scale * arena[net.row_weights + r]
    if output.activation == SOFTMAX:
        r_softmax_error(net, r_net, at, y_at, scale)
        return
    for j in range(at, at + output.neurons, lanes(arena)):
        if net.loss == CROSS_ENTROPY:
            r_delta = load(r_arena, output.a + j)
        else:
            z, a = load(arena, output.z + j), load(arena, output.a + j)
            y = load(arena, net.targets + j)
            slope = derivative(output.activation, z, a)
            curvature = cost_second_derivative(net.loss, a, y) * slope * slope
            bend = second_derivative(output.activation, z, a)
            curvature = fma(cost_derivative(net.loss, a, y), bend, curvature)
            r_delta = curvature * load(r_arena, output.z + j)
        store(r_arena, output.delta + j, r_delta * scale)


@kernel
def r_error_below(net, r_net, l, rows):
    """BP2 and R of it: delta^(l-1) and R{delta^(l-1)} from delta^l and R{delta^l}."""
    delta, r_delta = delta_matrix(net, l, rows), delta_matrix(r_net, l, rows)
    e, r_e = delta_matrix(net, l - 1, rows), delta_matrix(r_net, l - 1, rows)
    W, V = weight_matrix(net, l), weight_matrix(r_net, l)
    matmul(1.0, delta, W, 0.0, e, net.panel)
    matmul(1.0, r_delta, W, 0.0, r_e, net.panel)
    matmul(1.0, delta, V, 1.0, r_e, net.panel)

    below, arena, r_arena = layer_of(net, l - 1), net.arena, r_net.arena
    for r in range(rows):
        row = r * below.row_step
        for at in range(row, row + below.neurons, lanes(arena)):
            z, a = load(arena, below.z + at), load(arena, below.a + at)
            slope = derivative(below.activation, z, a)
            bend = second_derivative(below.activation, z, a) * load(r_arena, below.z + at)
            e_r = load(arena, below.delta + at)
            store(arena, below.delta + at, e_r * slope)
            r_e_r = load(r_arena, below.delta + at)
            store(r_arena, below.delta + at, fma(r_e_r, slope, e_r * bend))


@inlined
def _r_forward(net, r_net, a_0, rows):
    """R{z^l} and R{a^l} of all layers, after forward_block."""
    a_below = a_0
    for l in range(1, net.depth + 1):
        r_forward_layer(net, r_net, a_below, l, rows)
        a_below = a_matrix(net, l, rows)


@kernel
def directional_derivative(table, parameters, arena, v, r_arena, data):
    """R{C} of the mean cost of all rows: (bad row or -1, slope along v), by forward mode alone.

    R{C} = sum of delta^L R{z^L}. With v a unit vector it is one derivative: the way of finding a
    gradient, one weight at a time, that backpropagation made obsolete.
    """
    net, r_net = open_net(table, parameters, arena, 0, 0), open_net(table, v, r_arena, 0, 0)
    examples, output = open_data(data), layer_of(net, net.depth)
    scale, slope = mean_scale(examples), 0.0
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        rows, a_0 = last - first, rows_of(examples, first, last)
        if not forward_block(net, a_0, rows):
            return first, slope
        _r_forward(net, r_net, a_0, rows)
        for r in range(rows):
            gather_target(net, examples, first + r, r)
        finish_rows(net, 0, rows, scale)
        for r in range(rows):
            for j in range(r * output.row_step, r * output.row_step + output.neurons):
                slope += net.arena[output.delta + j] * r_net.arena[output.z + j]
    return -1, slope


@inlined
def _r_gradient(net, r_net, a_below, l, rows, product, accumulate):
    """R{nabla_w^l} and R{nabla_b^l}, at their places in the flat product."""
    layer = layer_of(net, l)
    at = advance(product, layer.weights)
    weight_gradient(r_net, a_below, l, rows, 0, layer.neurons, at, accumulate)
    if l > 1:
        r_a_below = a_matrix(r_net, l - 1, rows)
        weight_gradient(net, r_a_below, l, rows, 0, layer.neurons, at, True)
    at = advance(product, layer.biases)
    bias_gradient(r_net, l, rows, 0, layer.neurons, at, accumulate)


@kernel
def hessian_vector_product(table, parameters, arena, v, r_arena, data, l2, product):
    """H v of the mean cost of all rows plus l2/2 sum w^2 into product; bad row or -1.

    Reads parameters and v (n_parameters,); overwrites both arenas (plan.size,).
    """
    net, r_net = open_net(table, parameters, arena, 0, 0), open_net(table, v, r_arena, 0, 0)
    examples, out = open_data(data), pointer(product, 0)
    scale = mean_scale(examples)
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        rows, a_0 = last - first, rows_of(examples, first, last)
        if not forward_block(net, a_0, rows):
            return first
        _r_forward(net, r_net, a_0, rows)
        for r in range(rows):
            gather_target(net, examples, first + r, r)
        finish_rows(net, 0, rows, scale)
        for r in range(rows):
            r_output_error(net, r_net, r, scale)
            if net.arena[net.row_weights + r] == 0:
                forget_row(r_net, r)
        for l in range(net.depth, 0, -1):
            if l > 1:
                r_error_below(net, r_net, l, rows)
            below = a_matrix(net, l - 1, rows) if l > 1 else a_0
            _r_gradient(net, r_net, below, l, rows, out, first > 0)
    for l in range(1, net.depth + 1):
        layer = layer_of(net, l)
        for i in range(layer.weights, layer.biases, lanes(out)):
            left = layer.biases - i
            v_i, product_i = load_first(r_net.parameters, i, left), load_first(out, i, left)
            store_first(out, i, fma(v_i, l2, product_i), left)
    return -1
