"""The second half of a step: BP2 to BP4 from the last layer down, and the optimizer.

The gradient of W^l is computed a block at a time, and each block is applied while it is in cache:
a stored gradient would cost two trips through memory. Only clipping by norm needs the whole
gradient first, and stores it. A thread owns neurons first .. last-1 of each layer: it computes
their nabla_w and updates their weights.
"""

from typing import NamedTuple

from .backward import bias_gradient, error_below, store_gradient
from .batch import total
from .jit import inlined, kernel
from .layout import (
    BLOCK_NEURONS,
    BLOCK_SIZE,
    PACK_DELTAS_FROM,
    TALL_BLOCK_NEURONS,
    TALL_FROM,
)
from .listed import (
    has_lists,
    LISTED_INPUTS,
    lists_from,
    multiply_by_lists,
    suits_lists,
    transpose_and_list,
)
from .matmul import columns_at_once, FEW_COLUMNS, matmul
from .matrix import (
    column_range,
    Matrix,
    matrix,
    n_bytes,
    pack,
    pack_panels,
    PANEL_COLUMNS,
    row_range,
    transpose,
)
from .net import a_matrix, delta_matrix, layer_of, weight_matrix
from .prefetch import ask_to_write
from .simd import advance, lanes, parts
from .sparse_rows import descend_sparse_rows, turned_neurons
from .threads import share, wait_for_all
from .tiles import OUTER_VECTORS
from .updates import (
    begin_step,
    is_plain,
    limit_norm,
    norm,
    penalize,
    Slice,
    update,
    without_penalties,
)

# For so many neurons of a thread, and from so many bytes on, a^(l-1) is packed: 128 rows of
# 784 -> 512 take 0.94 of the time with their packing, 32 rows of 784 -> 100 would take 1.09.
PACK_INPUTS_FROM = 384
PACK_INPUTS_BYTES = 1 << 18


class Trainee(NamedTuple):
    """Pointers to what training overwrites besides the net's parameters and arena."""

    state: object
    second_state: object
    gradient: object
    n_parameters: int
    slots: int  # how many numbers the optimizer keeps for each parameter


@inlined
def penalty_factor(net, rule, rows):
    """What l1 and l2 are multiplied by in a batch."""
    return 1.0 / total(net, net.row_weights, rows) if rule.per_row else 1.0


@inlined
def descend(net, trainee, passes, rule, rate, t, rows, team, turned):
    """BP2 to BP4 from the last layer down; each block of the gradient is applied at once.

    `turned`: layer 1 is trained by lists (sparse_rows.py).
    """
    numbers = begin_step(rule, rate, t, 1.0, penalty_factor(net, rule, rows))
    for l in range(net.depth, 0, -1):
        # W^l may change only when all of delta^(l-1) has been computed from it.
        propagate_below(net, passes, l, rows, team)
        if l == 1 and turned:
            first, last = turned_neurons(net, team)
            descend_sparse_rows(net, trainee, rule, numbers, rows, first, last)
            descend_biases(net, trainee, rule, numbers, 1, rows, first, last)
            break
        a_below = activations_below(net, rule, l, rows, team)
        first, last = own_neurons(net, l, team)
        if l > 1 and team.n_threads > 1:
            # Other cores have read these for BP2, and give them up in time now: 512 -> 512 is
            # updated by two threads in 61 rather than 100 us.
            ask_to_write(row_range(weight_matrix(net, l), first, last))
        descend_layer(net, trainee, rule, numbers, l, a_below, first, last)
    wait_for_all(team)


@inlined
def descend_clipped(net, trainee, passes, rule, rate, t, rows, team):
    """BP2 to BP4 into the stored gradient; then its norm, and the update by the clipped one."""
    nabla = trainee.gradient
    factor = penalty_factor(net, rule, rows)
    for l in range(net.depth, 0, -1):
        propagate_below(net, passes, l, rows, team)
        layer, a_below = layer_of(net, l), a_matrix(net, l - 1, rows)
        first, last = own_neurons(net, l, team)
        store_gradient(net, a_below, l, rows, first, last, nabla, False)
        at, count = layer.weights + first * a_below.columns, (last - first) * a_below.columns
        penalize(net.parameters, nabla, at, count, rule.l1 * factor, rule.l2 * factor)
    wait_for_all(team)
    # Every thread takes the norm of the whole, for the same bits everywhere.
    length = norm(nabla, trainee.n_parameters)
    wait_for_all(team)  # `update` scales the gradient in place
    scale = rule.clip_norm / length if length > rule.clip_norm else 1.0
    numbers = begin_step(rule, rate, t, scale, 0.0)
    for l in range(1, net.depth + 1):
        layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
        first, last = own_neurons(net, l, team)
        at = layer.weights + first * n_below
        where = slice_of(net, trainee, at, advance(nabla, at))
        update(rule, numbers, where, last - first, n_below, n_below)
        g = advance(nabla, layer.biases + first)
        update_biases(net, trainee, rule, numbers, layer, first, last, g)
        limit_norms(net, rule, l, first, last)
    wait_for_all(team)


@inlined
def own_neurons(net, l, team):
    """This thread's neurons of layer l, whose weights it updates; of few, each thread has some."""
    neurons = layer_of(net, l).neurons
    return share(neurons, min(lanes(net.arena), parts(neurons, team.n_threads)), team)


@kernel
def slice_of(net, trainee, at, g):
    """The parameters from element `at` on, with the gradient that a pointer gives."""
    return Slice(
        advance(net.parameters, at),
        g,
        advance(trainee.state, at),
        advance(trainee.second_state, at),
    )


@inlined
def update_biases(net, trainee, rule, numbers, layer, first, last, nabla_b):
    """Apply the rule to biases first .. last-1; penalties and decay do not act on them."""
    where, count = slice_of(net, trainee, layer.biases + first, nabla_b), last - first
    update(rule, without_penalties(numbers), where, 1, count, count)


@inlined
def propagate_below(net, passes, l, rows, team):
    """BP2: this thread's share of delta^(l-1), where there is one."""
    if l > 1:
        first, last = share(layer_of(net, l - 1).neurons, lanes(net.arena), team)
        error_below(net, l, rows, first, last, passes.dropout[l - 1] > 0.0)
        wait_for_all(team)


@inlined
def activations_below(net, rule, l, rows, team):
    """a^(l-1), packed where many products will read it, by each thread or all of them together.

    Or transposed, with lists of what is not 0, where that is less.
    """
    a_below, neurons = a_matrix(net, l - 1, rows), layer_of(net, l).neurons
    lists = suits_lists(a_below, neurons) and not is_plain(rule)
    own = parts(neurons, team.n_threads) if net.has_copies else neurons
    is_large = own >= PACK_INPUTS_FROM and n_bytes(a_below) >= PACK_INPUTS_BYTES
    if not lists and (not is_large or a_below.columns <= FEW_COLUMNS):
        return a_below
    first, last = 0, a_below.columns
    if not net.has_copies:
        wait_for_all(team)  # until nobody reads what was packed before
        first, last = share(a_below.columns, OUTER_VECTORS * lanes(net.arena), team)
    if lists:
        a_below = transpose_and_list(net, a_below, first, last)
    else:
        pack_panels(column_range(a_below, first, last), advance(net.packed, first * rows))
        a_below = Matrix(net.packed, rows, a_below.columns, rows, 0)
    if not net.has_copies:
        wait_for_all(team)
    return a_below


@inlined
def descend_layer(net, trainee, rule, numbers, l, a_below, first, last):
    """BP3 and BP4 of neurons first .. last-1 of layer l, each block applied at once."""
    rows = a_below.rows
    neurons = block_neurons(a_below, last - first)
    for j in range(first, last, neurons):
        delta = column_range(delta_matrix(net, l, rows), j, min(j + neurons, last))
        if rows >= PACK_DELTAS_FROM and not has_lists(a_below):
            delta = pack(delta, net.deltas, TALL_BLOCK_NEURONS)
        descend_block(net, trainee, rule, numbers, l, j, delta, a_below)
    descend_biases(net, trainee, rule, numbers, l, rows, first, last)
    limit_norms(net, rule, l, first, last)


@kernel
def descend_biases(net, trainee, rule, numbers, l, rows, first, last):
    """BP3 of neurons first .. last-1 of layer l, applied at once."""
    for j in range(first, last, BLOCK_SIZE):
        j_end = min(j + BLOCK_SIZE, last)
        bias_gradient(net, l, rows, j, j_end, net.block, False)
        update_biases(net, trainee, rule, numbers, layer_of(net, l), j, j_end, net.block)


@inlined
def block_neurons(a_below, neurons):
    """Of how many of so many neurons a block of the gradient is, in blocks as even as can be."""
    most = BLOCK_NEURONS if a_below.rows * a_below.columns <= TALL_FROM else TALL_BLOCK_NEURONS
    while most > 1 and most * a_below.columns > BLOCK_SIZE:
        most //= 2
    if has_lists(a_below):
        most = min(PANEL_COLUMNS, columns_at_once(a_below, a_below.rows))
    neurons = max(1, neurons)  # a thread may have none
    return parts(neurons, parts(neurons, most))


@inlined
def descend_block(net, trainee, rule, numbers, l, first, delta, a_below):
    """Apply nabla_w = delta^T a^(l-1) (BP4) to the weights of delta's neurons, from `first` on."""
    neurons, n_below = delta.columns, a_below.columns
    at = layer_of(net, l).weights + first * n_below
    if is_plain(rule):
        W = matrix(net.parameters, at, neurons, n_below, n_below)
        matmul(-numbers.rate, transpose(delta), a_below, numbers.decay, W, net.panel)
        return
    width = OUTER_VECTORS * lanes(net.arena)
    columns = BLOCK_SIZE // width * width  # in one piece, but for very wide layers
    if has_lists(a_below):
        columns = LISTED_INPUTS
    for k in range(0, n_below, columns):
        k_end = min(k + columns, n_below)
        a_part = column_range(a_below, k, k_end)
        nabla_w = matrix(net.block, 0, neurons, k_end - k, k_end - k)
        if has_lists(a_below):
            multiply_by_lists(net, delta, a_part, n_below, lists_from(a_below, k), nabla_w)
        else:
            matmul(1.0, transpose(delta), a_part, 0.0, nabla_w, net.panel)
        where = slice_of(net, trainee, at + k, net.block)
        update(rule, numbers, where, neurons, k_end - k, n_below)


@kernel
def limit_norms(net, rule, l, first, last):
    """Max-norm: keep each neuron's incoming weights within the rule's length, if it has one."""
    if rule.max_norm > 0.0:
        layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
        for j in range(first, last):
            weights = advance(net.parameters, layer.weights + j * n_below)
            limit_norm(weights, n_below, rule.max_norm)
