"""Cost, hits and moments over all rows of the user's data, a block of rows at a time."""

from .batch import finish_row, gather_target
from .forward import block_is_finite, forward_block
from .jit import kernel
from .layout import A, NEURONS, ROW_STEP


@kernel
def evaluate(plan, parameters, arena, data, moments):
    """Sums over all rows: (bad row or -1, weighted cost, weight, weighted hits).

    moments (4, n_L), for R^2: of each output, sum w, sum w d, sum w d^2, sum w (y - a)^2, where
    d = y - (y of the first row).
    """
    output = plan.layers[-1]
    n, row_step = output[NEURONS], output[ROW_STEP]
    cost, weight, hits = 0.0, 0.0, 0.0
    moments[:] = 0.0
    for first in range(0, data.X.shape[0], plan.rows):
        last = min(first + plan.rows, data.X.shape[0])
        if not block_is_finite(data.X, first, last):
            return first, cost, weight, hits
        forward_block(plan, parameters, arena, data.X, first, last)
        for r in range(last - first):
            gather_target(plan, data, arena, first + r, r)
            finish_row(plan, arena, r, 1.0)
            cost += arena[plan.row_costs + r]
            hits += arena[plan.row_hits + r]
            w = arena[plan.row_weights + r]
            weight += w
            if not data.labels.size:
                for j in range(n):
                    y = arena[plan.targets + r * row_step + j]
                    d = y - data.targets[0, j]
                    error = y - arena[output[A] + r * row_step + j]
                    moments[0, j] += w
                    moments[1, j] += w * d
                    moments[2, j] += w * d * d
                    moments[3, j] += w * error * error
    return -1, cost, weight, hits
