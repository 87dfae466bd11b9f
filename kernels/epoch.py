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
from .batch import finish_row, gather_row, gather_target
from .dropout import drop
from .forward import arena_matrix, forward_layer
from .jit import inlined, kernel
from .layout import A, BIASES, BLOCK_COLUMNS, BLOCK_SIZE, NEURONS, WEIGHTS
from .matmul import column_range
from .simd import lanes
from .threads import share, wait_for_all
from .updates import begin_step, limit_norm, norm, penalize, update

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


@kernel
def train(plan, model, data, rows_pass, rule, first_step, last_step, report, team):
    """Take steps first_step .. last_step-1 of a pass; report (4,) float64 is added to."""
    for step in range(first_step, last_step):
        rows = min(rows_pass.batch_size, rows_pass.order.size - step * rows_pass.batch_size)
        status = propagate(plan, model, data, rows_pass, step, rows, report, team)
        if status != OK:
            report[FAILED_STEP] = step
            return status
        t = rows_pass.steps_before + step + 1
        if rule.clip_norm > 0.0:
            descend_clipped(plan, model, rows_pass, rule, rows_pass.rates[step], t, rows, team)
        else:
            descend(plan, model, rows_pass, rule, rows_pass.rates[step], t, rows, team)
    return OK


@inlined
def propagate(plan, model, data, rows_pass, step, rows, report, team):
    """Gather a batch, run it forward, and leave delta^L (BP1) in the arena."""
    arena = model.arena
    L = plan.layers.shape[0] - 1
    first_row, last_row = share(rows, 1, team)
    finite = True
    for r in range(first_row, last_row):
        source = rows_pass.order[step * rows_pass.batch_size + r]
        finite &= gather_row(plan, data, arena, source, r)
        gather_target(plan, data, arena, source, r)
    if not finite:
        team.barrier[INPUT_NOT_FINITE] = 1
    wait_for_all(team)
    if team.barrier[INPUT_NOT_FINITE]:
        return INPUT_NOT_FINITE

    a_below = arena_matrix(plan, arena, 0, A, rows)
    for l in range(1, L + 1):
        first, last = share(plan.layers[l, NEURONS], lanes(arena), team)
        forward_layer(plan, model.parameters, arena, a_below, l, rows, first, last)
        if rows_pass.dropout[l] > 0.0:
            t = rows_pass.steps_before + step
            drop(plan, arena, l, rows, first, last, rows_pass.dropout[l], rows_pass.seed, t)
        a_below = arena_matrix(plan, arena, l, A, rows)
        wait_for_all(team)

    weight = 0.0
    for r in range(rows):
        weight += arena[plan.row_weights + r]
    scale = 1.0 / weight if weight > 0.0 else 0.0
    for r in range(first_row, last_row):
        finish_row(plan, arena, r, scale)  # BP1
    wait_for_all(team)

    cost, hits = 0.0, 0.0
    for r in range(rows):
        cost += arena[plan.row_costs + r]
        hits += arena[plan.row_hits + r]
    if not abs(cost) < np.inf:
        return COST_NOT_FINITE
    if team.thread == 0:
        report[COST] += cost
        report[WEIGHT] += weight
        report[HITS] += hits
    return OK


@inlined
def descend(plan, model, rows_pass, rule, rate, t, rows, team):
    """BP2 to BP4 from the last layer down; each block of the gradient is applied at once."""
    numbers = begin_step(rule, rate, t, 1.0)
    for l in range(plan.layers.shape[0] - 1, 0, -1):
        # W^l may change only when all of delta^(l-1) has been computed from it.
        propagate_below(plan, model, rows_pass, l, rows, team)
        first, last = share(plan.layers[l, NEURONS], lanes(model.arena), team)
        descend_layer(plan, model, rule, numbers, l, rows, first, last, team.thread)
    wait_for_all(team)


@inlined
def descend_clipped(plan, model, rows_pass, rule, rate, t, rows, team):
    """BP2 to BP4 into the stored gradient; then its norm, and the update by the clipped one."""
    width = lanes(model.arena)
    inputs = arena_matrix(plan, model.arena, 0, A, rows)
    for l in range(plan.layers.shape[0] - 1, 0, -1):
        propagate_below(plan, model, rows_pass, l, rows, team)
        first, last = share(plan.layers[l, NEURONS], width, team)
        store_gradient(plan, model.arena, inputs, l, rows, first, last, model.gradient, False)
        n_below = plan.layers[l - 1, NEURONS]
        at, count = plan.layers[l, WEIGHTS] + first * n_below, (last - first) * n_below
        penalize(model.parameters, model.gradient, at, count, rule.l1, rule.l2)
    wait_for_all(team)
    # Every thread takes the norm of the whole, for the same bits everywhere.
    length = norm(model.gradient, 0, model.gradient.size)
    scale = rule.clip_norm / length if length > rule.clip_norm else 1.0
    numbers = begin_step(rule, rate, t, scale)
    for l in range(1, plan.layers.shape[0]):
        first, last = share(plan.layers[l, NEURONS], width, team)
        n_below = plan.layers[l - 1, NEURONS]
        at, count = plan.layers[l, WEIGHTS] + first * n_below, (last - first) * n_below
        update(rule, numbers, 0.0, 0.0, numbers.decay, model, at, model.gradient, at, count)
        at, count = plan.layers[l, BIASES] + first, last - first
        update(rule, numbers, 0.0, 0.0, 1.0, model, at, model.gradient, at, count)
        limit_norms(plan, model, rule, l, first, last)
    wait_for_all(team)


@inlined
def propagate_below(plan, model, rows_pass, l, rows, team):
    """BP2: this thread's share of delta^(l-1), where there is one."""
    if l > 1:
        n_below = plan.layers[l - 1, NEURONS]
        first, last = share(n_below, lanes(model.arena), team)
        dropped = rows_pass.dropout[l - 1] > 0.0
        error_below(plan, model.parameters, model.arena, l, rows, first, last, dropped)
        wait_for_all(team)


@inlined
def descend_layer(plan, model, rule, numbers, l, rows, first, last, thread):
    """BP3 and BP4 of neurons first .. last-1 of layer l, each block applied at once."""
    arena, block = model.arena, plan.blocks + thread * BLOCK_SIZE
    a_below = arena_matrix(plan, arena, l - 1, A, rows)
    n_below = a_below.columns
    weights_at, biases_at = plan.layers[l, WEIGHTS], plan.layers[l, BIASES]
    columns = min(n_below, BLOCK_COLUMNS)
    neurons = BLOCK_SIZE // columns
    for j in range(first, last, neurons):
        j_end = min(j + neurons, last)
        for k in range(0, n_below, columns):
            k_end = min(k + columns, n_below)
            a_part = column_range(a_below, k, k_end)
            weight_gradient(plan, arena, a_part, l, rows, j, j_end, arena, block, False)  # BP4
            # Whole rows of W follow each other in memory, as those of the block do.
            stretch = (j_end - j) * n_below if columns == n_below else k_end - k
            for i in range(0, (j_end - j) * (k_end - k), stretch):
                at = weights_at + j * n_below + k + i // stretch * n_below
                update(
                    rule,
                    numbers,
                    rule.l1,
                    rule.l2,
                    numbers.decay,
                    model,
                    at,
                    arena,
                    block + i,
                    stretch,
                )
    for j in range(first, last, BLOCK_SIZE):
        j_end = min(j + BLOCK_SIZE, last)
        bias_gradient(plan, arena, l, rows, j, j_end, arena, block, False)  # BP3
        update(rule, numbers, 0.0, 0.0, 1.0, model, biases_at + j, arena, block, j_end - j)
    limit_norms(plan, model, rule, l, first, last)


@kernel
def limit_norms(plan, model, rule, l, first, last):
    """Max-norm: keep each neuron's incoming weights within the rule's length, if it has one."""
    if rule.max_norm > 0.0:
        n_below = plan.layers[l - 1, NEURONS]
        for j in range(first, last):
            at = plan.layers[l, WEIGHTS] + j * n_below
            limit_norm(model.parameters, at, n_below, rule.max_norm)
