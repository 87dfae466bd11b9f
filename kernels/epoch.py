"""The mini-batch loop: gather, forward, backward, update, for steps of passes over the rows.

Every thread of a team runs `train` on the same arrays. In each phase it computes its share of
the outputs, and waits for the others where the next phase reads them. A thread owns neurons
first .. last-1 of each layer: it computes their z, a and nabla_w and updates their weights, which
so stay in its core's cache. The rows of a small batch it gathers all by itself: that takes less
time than to fetch them from another core. Nothing is allocated here.
"""

from typing import NamedTuple

import numpy as np

from .activations import activate_layer, is_column
from .batch import (
    CACHED_DATA,
    finish_rows,
    gather_row,
    gather_target,
    mark_hits,
    prefetch_row,
    ROWS_AHEAD,
    total,
)
from .descent import descend, descend_clipped, Trainee
from .dropout import drop
from .forward import forward_layer, suits_dot_tiles
from .jit import inlined, kernel
from .matrix import n_bytes, row_range
from .net import a_matrix, from_row, layer_of, open_data, open_net, rows_of
from .simd import lanes, pointer
from .sparse_rows import (
    list_rows,
    suits_sparse_rows,
    turn_weights,
    turn_weights_back,
    turned_neurons,
    turned_penalty,
    weigh_sparse_rows,
)
from .target import flush_subnormals, restore_subnormals
from .threads import BAD_INPUT, share, wait_for_all
from .updates import penalty

# What `train` returns.
OK, COST_NOT_FINITE, INPUT_NOT_FINITE = range(3)
# What it adds to its report, and where it says which step failed. The last two are for a rule
# whose penalties are per row: each batch's mean cost, and mean penalty before its update, times
# its rows. Only then need the report be that long.
COST, WEIGHT, HITS, FAILED_STEP, MEAN_COST, PENALTY = range(6)


class Model(NamedTuple):
    """What training overwrites."""

    parameters: np.ndarray  # (n_parameters,)
    state: np.ndarray  # (slots, n_parameters) of the optimizer; (1, 0) where it has none
    gradient: np.ndarray  # (n_parameters,) where it is clipped by norm, else (0,)
    arena: np.ndarray  # (plan.size,)


class Passes(NamedTuple):
    """Passes over the rows: which, in which order, with which learning rates."""

    order: np.ndarray  # (passes, n) int64, rows of the data
    batch_size: int
    rates: np.ndarray  # (passes, steps) float64, learning rate of each step
    dropout: np.ndarray  # (L + 1,) float64, rate of each a^l; 0 for the input and the output
    steps_before: int  # optimizer steps taken before these passes
    seed: int  # key of the dropout masks
    endure: int = 0  # go on where the cost is not finite
    is_sparse: int = 0  # X is mostly 0


class Batch(NamedTuple):
    """Which rows a step is made with."""

    e: int  # the pass
    first: int  # of its order
    rows: int
    t: int  # optimizer steps with this one: 1, 2, ...


class Team(NamedTuple):
    """This thread among those that train together."""

    barrier: np.ndarray  # (16,) int64, zeros at first
    thread: int
    n_threads: int


@kernel
def train(table, model, data, passes, rule, first_step, last_step, reports, team):
    """Take steps first_step .. last_step-1 of the passes, counted through.

    A call from Python costs 6 us, a third of an epoch of a very small problem: hence several
    passes. Each has its row of `reports`, (passes, 4) or (passes, 6) float64, which is added to.
    """
    net = open_net(table, model.parameters, model.arena, team.thread, 0)
    examples = open_data(data)
    n_parameters = model.parameters.size
    # An optimizer with one state row, or none, never reads the second.
    state, second_state = pointer(model.state, 0), pointer(model.state, model.state.shape[1])
    slots = model.state.shape[0] if model.state.shape[1] > 0 else 0
    trainee = Trainee(state, second_state, pointer(model.gradient, 0), n_parameters, slots)
    mode = flush_subnormals()
    status = OK
    turned = passes.is_sparse != 0 and suits_sparse_rows(net, rule, passes.batch_size)
    own_first, own_last = turned_neurons(net, team)
    if turned:
        turn_weights(net, trainee, own_first, own_last)
    for step in range(first_step, last_step):
        e, of_pass = step // passes.rates.shape[1], step % passes.rates.shape[1]
        first = of_pass * passes.batch_size
        rows = min(passes.batch_size, passes.order.shape[1] - first)
        t = passes.steps_before + step + 1
        batch = Batch(e, first, rows, t)
        status = propagate(net, examples, passes, rule, batch, reports, team, turned)
        if status != OK:
            reports[e, FAILED_STEP] = of_pass
            break
        rate = passes.rates[e, of_pass]
        if rule.clip_norm > 0.0:
            descend_clipped(net, trainee, passes, rule, rate, t, rows, team)
        else:
            descend(net, trainee, passes, rule, rate, t, rows, team, turned)
    if turned:
        turn_weights_back(net, trainee, own_first, own_last)
    restore_subnormals(mode)
    return status


@inlined
def propagate(net, examples, passes, rule, batch, reports, team, turned):
    """Gather a batch, run it forward, and leave delta^L (BP1) in the arena.

    `turned`: layer 1 is trained by lists (sparse_rows.py).
    """
    rows, e = batch.rows, batch.e
    first_row, last_row = share(rows, 1, team)
    first_copied, last_copied = (0, rows) if net.has_copies else (first_row, last_row)
    finite = True
    asks = n_bytes(rows_of(examples, 0, examples.rows)) > CACHED_DATA
    for r in range(first_copied, last_copied):
        at = batch.first + r
        source = passes.order[e, at]
        finite &= gather_row(net, examples, source, r)
        if first_row <= r < last_row:
            gather_target(net, examples, source, r)
        # Afterwards: before, what is gathered now would wait for it, 3 % of [784, 30, 10].
        if asks and at + ROWS_AHEAD < passes.order.shape[1]:
            prefetch_row(examples, passes.order[e, at + ROWS_AHEAD])
    if not finite:
        team.barrier[BAD_INPUT] = 1
    wait_for_all(team)
    if team.barrier[BAD_INPUT]:
        return INPUT_NOT_FINITE
    # Here, between the barrier behind which all have turned their weights and those behind which
    # another thread may be first to change one.
    penalties = 0.0
    if rule.per_row and team.thread == 0:
        penalties = penalty_of_all(net, rule, turned, team.n_threads)

    for l in range(1, net.depth + 1):
        if l == 1 and turned:
            first, last = turned_neurons(net, team)
            list_rows(net, rows)
            weigh_sparse_rows(net, rows, first, last)
            activate_layer(net, layer_of(net, 1), rows, first, last)
        else:
            part, a_below, first, last = forward_share(net, l, rows, team)
            forward_layer(part, a_below, l, a_below.rows, first, last)
        if passes.dropout[l] > 0.0:
            drop(net, l, rows, first, last, passes.dropout[l], passes.seed, batch.t - 1)
        wait_for_all(team)

    weight = total(net, net.row_weights, rows)
    scale = 1.0 / weight if weight != 0.0 else 0.0
    finish_rows(net, first_row, last_row, scale)  # BP1
    mark_hits(net, first_row, last_row)
    wait_for_all(team)

    cost = total(net, net.row_costs, rows)
    if not (abs(cost) < np.inf or passes.endure):
        return COST_NOT_FINITE
    if team.thread == 0:
        reports[e, COST] += cost
        reports[e, WEIGHT] += weight
        reports[e, HITS] += total(net, net.row_hits, rows)
        if rule.per_row:
            reports[e, MEAN_COST] += rows * (cost / weight)
            reports[e, PENALTY] += rows * (penalties / weight)
    return OK


@inlined
def forward_share(net, l, rows, team):
    """What this thread computes of layer l: neurons first .. last-1 of all rows.

    Or, of an output layer that is too narrow for that, all neurons of some rows, those that it will
    finish: 512 -> 10 for 128 rows in 10 us on two threads, where one alone took 19. The Net and
    a^(l-1) that are returned begin with these rows.
    """
    layer, a_below = layer_of(net, l), a_matrix(net, l - 1, rows)
    n, width = layer.neurons, lanes(net.arena)
    is_narrow = l == net.depth and n <= width and not is_column(layer)
    if is_narrow and team.n_threads > 1 and suits_dot_tiles(a_below, n, False):
        first_row, last_row = share(rows, 1, team)
        part = from_row(net, layer, first_row)
        return part, row_range(a_below, first_row, last_row), 0, n
    first, last = share(n, width, team)
    return net, a_below, first, last


@kernel
def penalty_of_all(net, rule, turned, n_threads):
    """Cost of the rule's penalties, of the weights of all layers."""
    total = turned_penalty(net, rule, n_threads) if turned else 0.0
    for l in range(2 if turned else 1, net.depth + 1):
        layer = layer_of(net, l)
        count = layer.biases - layer.weights
        total += penalty(net.parameters, layer.weights, count, rule.l1, rule.l2)
    return total
