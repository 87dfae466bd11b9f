"""The mini-batch loop: gather, forward, backward, update, for steps of one pass over the rows.

Every thread of a team runs `train` on the same arrays. In each phase it computes its share of
the outputs, and waits for the others where the next phase reads them. A thread owns neurons
first .. last-1 of each layer: it computes their z, a and nabla_w and updates their weights, which
so stay in its core's cache.

The gradient of W^l is computed a block at a time, and each block is applied while it is in cache:
a stored gradient would cost two trips through memory. Only clipping by norm needs the whole
gradient first, and stores it. Nothing is allocated here.
"""

from typing import NamedTuple

import numpy as np

from .backward import bias_gradient, error_below, store_gradient, weight_gradient
from .batch import finish_row, gather_row, gather_target, prefetch_row
from .dropout import drop
from .forward import forward_layer
from .jit import inlined, kernel
from .layout import BLOCK_NEURONS, BLOCK_SIZE, TALL_BLOCK_NEURONS, TALL_FROM
from .matmul import column_range, matmul, row_range, transpose
from .net import a_matrix, delta_matrix, layer_of, open_data, open_net, weight_matrix
from .simd import advance, lanes, pointer
from .target import flush_subnormals, restore_subnormals
from .threads import BAD_INPUT, share, wait_for_all
from .updates import begin_step, limit_norm, norm, penalize, SGD, Slice, update, without_penalties

# What `train` returns.
OK, COST_NOT_FINITE, INPUT_NOT_FINITE = range(3)
# What it adds to its report, and where it says which step failed.
COST, WEIGHT, HITS, FAILED_STEP = range(4)


class Model(NamedTuple):
    """What training overwrites."""

    parameters: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (slots, n_parameters) of the optimizer; (1, 0) where it has none
    gradient: np.ndarray  # (n_parameters,) where it is clipped by norm, else (0,)
    arena: np.ndarray  # (plan.size,)


class Pass(NamedTuple):
    """One pass over the rows: which, in which order, with which learning rates."""

    order: np.ndarray  # (n,) int64, rows of the data
    batch_size: int
    rates: np.ndarray  # (steps,) float64, learning rate of each step
    dropout: np.ndarray  # (L + 1,) float64, rate of each a^l; 0 for the input and the output
    steps_before: int  # optimizer steps taken before this pass
    seed: int  # key of the dropout masks


class Team(NamedTuple):
    """This thread among those that train together."""

    barrier: np.ndarray  # (16,) int64, zeros at first
    thread: int
    n_threads: int


class Trainee(NamedTuple):
    """Pointers to what training overwrites besides the net's parameters and arena."""

    state: object
    second_state: object
    gradient: object
    n_parameters: int


@kernel
def train(plan, model, data, rows_pass, rule, first_step, last_step, report, team):
    """Take steps first_step .. last_step-1 of a pass; report (4,) float64 is added to."""
    net, examples = open_net(plan, model.parameters, model.arena, team.thread), open_data(data)
    n_parameters = model.parameters.size
    # An optimizer with one state row, or none, never reads the second.
    state, second_state = pointer(model.state, 0), pointer(model.state, model.state.shape[1])
    trainee = Trainee(state, second_state, pointer(model.gradient, 0), n_parameters)
    mode = flush_subnormals()
    status = OK
    for step in range(first_step, last_step):
        rows = min(rows_pass.batch_size, rows_pass.order.size - step * rows_pass.batch_size)
        status = propagate(net, examples, rows_pass, step, rows, report, team)
        if status != OK:
            report[FAILED_STEP] = step
            break
        t = rows_pass.steps_before + step + 1
        if rule.clip_norm > 0.0:
            descend_clipped(net, trainee, rows_pass, rule, rows_pass.rates[step], t, rows, team)
        else:
            descend(net, trainee, rows_pass, rule, rows_pass.rates[step], t, rows, team)
    restore_subnormals(mode)
    return status


@inlined
def propagate(net, examples, rows_pass, step, rows, report, team):
    """Gather a batch, run it forward, and leave delta^L (BP1) in the arena."""
    arena, width = net.arena, lanes(net.arena)
    first_row, last_row = share(rows, 1, team)
    finite = True
    for r in range(first_row, last_row):
        source = rows_pass.order[step * rows_pass.batch_size + r]
        finite &= gather_row(net, examples, source, r)
        gather_target(net, examples, source, r)
    if not finite:
        team.barrier[BAD_INPUT] = 1
    start = (step + 1) * rows_pass.batch_size
    for r in range(start + first_row, min(start + last_row, rows_pass.order.size)):
        prefetch_row(examples, rows_pass.order[r])
    wait_for_all(team)
    if team.barrier[BAD_INPUT]:
        return INPUT_NOT_FINITE

    for l in range(1, net.depth + 1):
        first, last = share(layer_of(net, l).neurons, width, team)
        forward_layer(net, a_matrix(net, l - 1, rows), l, rows, first, last)
        if rows_pass.dropout[l] > 0.0:
            t = rows_pass.steps_before + step
            drop(net, l, rows, first, last, rows_pass.dropout[l], rows_pass.seed, t)
        wait_for_all(team)

    weight = 0.0
    for r in range(rows):
        weight += arena[net.row_weights + r]
    scale = 1.0 / weight if weight > 0.0 else 0.0
    for r in range(first_row, last_row):
        finish_row(net, r, scale)  # BP1
    wait_for_all(team)

    cost, hits = 0.0, 0.0
    for r in range(rows):
        cost += arena[net.row_costs + r]
        hits += arena[net.row_hits + r]
    if not abs(cost) < np.inf:
        return COST_NOT_FINITE
    if team.thread == 0:
        report[COST] += cost
        report[WEIGHT] += weight
        report[HITS] += hits
    return OK


@inlined
def descend(net, trainee, rows_pass, rule, rate, t, rows, team):
    """BP2 to BP4 from the last layer down; each block of the gradient is applied at once."""
    numbers = begin_step(rule, rate, t, 1.0, True)
    for l in range(net.depth, 0, -1):
        # W^l may change only when all of delta^(l-1) has been computed from it.
        propagate_below(net, rows_pass, l, rows, team)
        first, last = share(layer_of(net, l).neurons, lanes(net.arena), team)
        descend_layer(net, trainee, rule, numbers, l, rows, first, last)
    wait_for_all(team)


@inlined
def descend_clipped(net, trainee, rows_pass, rule, rate, t, rows, team):
    """BP2 to BP4 into the stored gradient; then its norm, and the update by the clipped one."""
    nabla, width = trainee.gradient, lanes(net.arena)
    for l in range(net.depth, 0, -1):
        propagate_below(net, rows_pass, l, rows, team)
        layer, a_below = layer_of(net, l), a_matrix(net, l - 1, rows)
        first, last = share(layer.neurons, width, team)
        store_gradient(net, a_below, l, rows, first, last, nabla, False)
        at, count = layer.weights + first * a_below.columns, (last - first) * a_below.columns
        penalize(net.parameters, nabla, at, count, rule.l1, rule.l2)
    wait_for_all(team)
    # Every thread takes the norm of the whole, for the same bits everywhere.
    length = norm(nabla, trainee.n_parameters)
    scale = rule.clip_norm / length if length > rule.clip_norm else 1.0
    numbers = begin_step(rule, rate, t, scale, False)
    for l in range(1, net.depth + 1):
        layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
        first, last = share(layer.neurons, width, team)
        at = layer.weights + first * n_below
        where = slice_of(net, trainee, at, advance(nabla, at))
        update(rule, numbers, where, last - first, n_below, n_below)
        g = advance(nabla, layer.biases + first)
        update_biases(net, trainee, rule, numbers, layer, first, last, g)
        limit_norms(net, rule, l, first, last)
    wait_for_all(team)


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
    # np.int64: numba would compile `update` once more for a literal 1.
    update(rule, without_penalties(numbers), where, np.int64(1), count, count)


@inlined
def propagate_below(net, rows_pass, l, rows, team):
    """BP2: this thread's share of delta^(l-1), where there is one."""
    if l > 1:
        first, last = share(layer_of(net, l - 1).neurons, lanes(net.arena), team)
        error_below(net, l, rows, first, last, rows_pass.dropout[l - 1] > 0.0)
        wait_for_all(team)


@inlined
def descend_layer(net, trainee, rule, numbers, l, rows, first, last):
    """BP3 and BP4 of neurons first .. last-1 of layer l, each block applied at once."""
    layer, a_below = layer_of(net, l), a_matrix(net, l - 1, rows)
    n_below = a_below.columns
    if rule.optimizer == SGD and rule.momentum == 0.0 and rule.l1 == 0.0:
        # W <- (1 - eta l2) W - eta nabla_w is a product itself, done before W leaves registers.
        delta = column_range(delta_matrix(net, l, rows), first, last)
        W = row_range(weight_matrix(net, l), first, last)
        matmul(-numbers.rate, transpose(delta), a_below, numbers.decay, W, net.panel)
    else:
        wanted = BLOCK_NEURONS if rows * n_below < TALL_FROM else TALL_BLOCK_NEURONS
        blocks = max(1, (last - first + wanted // 2) // wanted)
        neurons = max(1, (last - first + blocks - 1) // blocks)
        columns = n_below if neurons * n_below <= BLOCK_SIZE else BLOCK_SIZE // neurons // 64 * 64
        for j in range(first, last, neurons):
            j_end = min(j + neurons, last)
            for k in range(0, n_below, columns):
                k_end = min(k + columns, n_below)
                a_part = column_range(a_below, k, k_end)
                weight_gradient(net, a_part, l, rows, j, j_end, net.block, False)
                where = slice_of(net, trainee, layer.weights + j * n_below + k, net.block)
                update(rule, numbers, where, j_end - j, k_end - k, n_below)
    for j in range(first, last, BLOCK_SIZE):
        j_end = min(j + BLOCK_SIZE, last)
        bias_gradient(net, l, rows, j, j_end, net.block, False)
        update_biases(net, trainee, rule, numbers, layer, j, j_end, net.block)
    limit_norms(net, rule, l, first, last)


@kernel
def limit_norms(net, rule, l, first, last):
    """Max-norm: keep each neuron's incoming weights within the rule's length, if it has one."""
    if rule.max_norm > 0.0:
        layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
        for j in range(first, last):
            weights = advance(net.parameters, layer.weights + j * n_below)
            limit_norm(weights, n_below, rule.max_norm)
