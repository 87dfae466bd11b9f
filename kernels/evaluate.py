"""Cost, hits and moments over all rows of the user's data, a block of rows at a time."""

from .batch import finish_rows, gather_target, mark_hits, total
from .forward import forward_block, pack_weights
from .jit import kernel
from .net import layer_of, open_data, open_net, rows_of


@kernel
def evaluate(table, parameters, arena, data, moments):
    """Sums over all rows: (bad row or -1, weighted cost, weight, weighted hits).

    moments (4, n_L), for R^2: of each output, sum w, sum w d, sum w d^2, sum w (y - a)^2, where
    d = y - (y of the first row).
    """
    examples = open_data(data)
    net = open_net(table, parameters, arena, 0, examples.rows)
    pack_weights(net)
    output = layer_of(net, net.depth)
    cost, weight, hits = 0.0, 0.0, 0.0
    moments[:] = 0.0
    for first in range(0, examples.rows, net.rows):
        last = min(first + net.rows, examples.rows)
        if not forward_block(net, rows_of(examples, first, last), last - first):
            return first, cost, weight, hits
        for r in range(last - first):
            gather_target(net, examples, first + r, r)
        finish_rows(net, 0, last - first, 1.0)
        mark_hits(net, 0, last - first)
        cost += total(net, net.row_costs, last - first)
        weight += total(net, net.row_weights, last - first)
        hits += total(net, net.row_hits, last - first)
        if not examples.has_labels:
            for r in range(last - first):
                w = net.arena[net.row_weights + r]
                for j in range(output.neurons):
                    y = net.arena[net.targets + r * output.row_step + j]
                    d = y - examples.targets[j]
                    error = y - net.arena[output.a + r * output.row_step + j]
                    moments[0, j] += w
                    moments[1, j] += w * d
                    moments[2, j] += w * d * d
                    moments[3, j] += w * error * error
    return -1, cost, weight, hits
