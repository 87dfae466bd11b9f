"""A batch in the arena: its rows gathered from the user's data, and BP1 with the cost at its end.

`gather_row` fills a^0, `gather_target` the targets (labels become one-hot there) and the row's
weight; `finish_row` reads z^L, a^L and those, and leaves delta^L, cost and hit of the row.
"""

from .jit import inlined, kernel
from .layout import A, ACTIVATION, DELTA, NEURONS, ROW_STEP, Z
from .losses import output_error
from .simd import broadcast, fma, lanes, load, load_first, store, store_first, sum_lanes


@inlined
def gather_row(plan, data, arena, source, r):
    """Copy row `source` of X to row r of a^0; return whether all its numbers are finite.

    x * 0 is 0 for a finite x and NaN otherwise: one multiply-add a vector, where a separate pass
    over X costs 15 % of an epoch of a small net.
    """
    X, n = data.X, data.X.shape[1]
    width = lanes(arena)
    start, target = source * n, plan.layers[0, A] + r * plan.layers[0, ROW_STEP]
    whole = n // width * width
    zeros = broadcast(arena, 0)
    for j in range(0, whole, width):
        x = load(X, start + j)
        zeros = fma(x, 0, zeros)
        store(arena, target + j, x)
    if whole < n:
        x = load_first(X, start + whole, n - whole)
        zeros = fma(x, 0, zeros)
        store_first(arena, target + whole, x, n - whole)
    return sum_lanes(zeros) == 0


@inlined
def gather_target(plan, data, arena, source, r):
    """Write the target and the weight of row `source` of the data as row r of the batch."""
    last = plan.layers.shape[0] - 1
    n, row_step = plan.layers[last, NEURONS], plan.layers[last, ROW_STEP]
    y_at = plan.targets + r * row_step
    if data.labels.size:
        for j in range(0, n, lanes(arena)):
            store(arena, y_at + j, broadcast(arena, 0))
        arena[y_at + data.labels[source]] = 1
    else:
        for j in range(n):
            arena[y_at + j] = data.targets[source, j]
    arena[plan.row_weights + r] = data.weights[source] if data.weights.size else 1


@inlined
def argmax(array, at, n):
    """Index of the first of the greatest of n numbers."""
    best = 0
    for j in range(1, n):
        if array[at + j] > array[at + best]:
            best = j
    return best


@inlined
def is_hit(arena, a_at, y_at, n):
    """Whether the predicted class is the target's; one output says class 1 above a half."""
    if n == 1:
        return (arena[a_at] > 0.5) == (arena[y_at] > 0.5)
    return argmax(arena, a_at, n) == argmax(arena, y_at, n)


@kernel
def finish_row(plan, arena, r, scale):
    """BP1 and cost of row r of a batch: delta^L times scale, weighted cost, weighted hit."""
    output = plan.layers[-1]
    n, at = output[NEURONS], r * output[ROW_STEP]
    a_at, y_at = output[A] + at, plan.targets + at
    weight = arena[plan.row_weights + r]
    cost = output_error(
        plan.loss,
        output[ACTIVATION],
        arena,
        output[Z] + at,
        a_at,
        y_at,
        output[DELTA] + at,
        n,
        scale * weight,
    )
    # A row of weight 0 does not count, be its cost infinite.
    arena[plan.row_costs + r] = weight * cost if weight != 0 else weight
    arena[plan.row_hits + r] = weight if is_hit(arena, a_at, y_at, n) else 0
