"""A batch in the arena: its rows gathered from the user's data, and BP1 with the cost at its end.

`gather_row` fills a^0, `gather_target` the targets (labels become one-hot there) and the row's
weight; `finish_rows` reads z^L, a^L and those, and leaves delta^L and costs; rows of a softmax
of few classes it transposes for that, in this thread's panel.
"""

import numpy as np

from .activations import is_column, rows_at_once, SOFTMAX
from .jit import inlined, kernel
from .layout import Layer
from .losses import output_error
from .matrix import matrix, pack, transpose
from .net import layer_of
from .prefetch import ask_for
from .simd import (
    advance,
    broadcast,
    first_lanes,
    first_true,
    fma,
    lanes,
    load,
    load_first,
    load_first_as,
    max_lanes,
    parts,
    select,
    store,
    store_first,
    sum_lanes,
)
from .target import VECTOR_BYTES

ROWS_AHEAD = 16
# Bytes of X that the second-level cache may hold, so that no row need be asked for: 1 % of a step
# of [64, 100, 10] on digits. Without AVX-512 caches are smaller, and asking saves 2 % of that step.
CACHED_DATA = 1 << 20 if VECTOR_BYTES == 64 else 1 << 18
FEW_CLASSES = 2 if VECTOR_BYTES == 64 else 5  # in vectors; by AVX2 no loss up to 64 classes


@inlined
def gather_row(net, examples, source, r):
    """Copy row `source` of X to row r of a^0; return whether all its numbers are finite.

    X may be float32 where the net is float64: half as much to fetch.

    x * 0 is 0 for a finite x and NaN otherwise: one multiply-add a vector, where a separate pass
    over X costs 15 % of an epoch of a small net.
    """
    n, X, batch = examples.columns, examples.X, net.batch
    width = lanes(batch)
    start, target = source * n, r * layer_of(net, 0).row_step
    whole = n // width * width
    zeros = broadcast(batch, 0)
    for j in range(0, whole, width):
        x = load_first_as(batch, X, start + j, width)
        zeros = fma(x, 0, zeros)
        store(batch, target + j, x)
    if whole < n:
        x = load_first_as(batch, X, start + whole, n - whole)
        zeros = fma(x, 0, zeros)
        store(batch, target + whole, x)
    return sum_lanes(zeros) == 0


@inlined
def prefetch_row(examples, source):
    """Ask the memory for row `source` of X, to be gathered ROWS_AHEAD rows later.

    A batch's rows lie anywhere: without this an epoch of [784, 30, 10] waits a tenth of its time.
    """
    ask_for(examples.X, source * examples.columns, (source + 1) * examples.columns)


@inlined
def gather_target(net, examples, source, r):
    """Write the target and the weight of row `source` of the data as row r of the batch."""
    arena, layer = net.arena, layer_of(net, net.depth)
    n, at = layer.neurons, net.targets + r * layer.row_step
    if examples.has_labels:
        for j in range(0, n, lanes(arena)):
            store(arena, at + j, broadcast(arena, 0))
        arena[at + examples.labels[source]] = 1
    elif is_column(layer):
        arena[at] = examples.targets[source]
    else:
        for j in range(0, n, lanes(arena)):
            store(arena, at + j, load_first(examples.targets, source * n + j, n - j))
    arena[net.row_weights + r] = examples.weights[source] if examples.has_weights else 1


@kernel
def argmax(array, at, n):
    """Index of the first of the greatest of n numbers.

    One number at a time, it guesses wrong where the greatest so far changes: 20 ns for ten digits.
    """
    width, lowest = lanes(array), broadcast(array, -np.inf)
    top = lowest
    for j in range(0, n, width):
        x = load(array, at + j)
        x = select(first_lanes(x, n - j), x, lowest)
        top = select(x > top, x, top)
    greatest = broadcast(array, max_lanes(top))
    for j in range(0, n, width):
        first = first_true(load(array, at + j) == greatest)
        if first < min(width, n - j):
            return j + first
    return 0  # there is NaN


@kernel
def forget_row(net, r):
    """Take all that layers 1 to L computed of row r for 0, and so what BP2 to BP4 make of it.

    It does not count, but it may have overflowed: inf * 0 is NaN.
    """
    zero = broadcast(net.arena, 0)
    for l in range(1, net.depth + 1):
        layer = layer_of(net, l)
        row = r * layer.row_step
        for at in range(row, row + layer.neurons, lanes(net.arena)):
            left = row + layer.neurons - at
            store_first(net.arena, layer.z + at, zero, left)
            store_first(net.arena, layer.a + at, zero, left)
            store_first(net.arena, layer.delta + at, zero, left)
            store_first(net.arena, layer.dropped + at, zero, left)


@kernel
def finish_rows(net, first, last, scale):
    """BP1 and cost of rows of a batch: delta^L times scale, and weighted costs.

    Row by row, or as many at once as there are lanes: where rows of one output lie side by side,
    and where those of few classes are transposed for it, in this thread's panel. Of these, the hits
    too, which `mark_hits` finds for others.
    """
    arena, output = net.arena, layer_of(net, net.depth)
    together = has_few_classes(output, arena)
    width = lanes(arena) if together else rows_at_once(output, arena)
    for r in range(first, last, width):
        rows, at = min(last - r, width), r * output.row_step
        where, layer, y_at, n = arena, output, net.targets + at, output.neurons
        weight = broadcast(arena, arena[net.row_weights + r])
        if width > 1:
            weight = load_first(arena, net.row_weights + r, rows)
        if together:
            where, layer, at, y_at = turn(net, output, r, rows)
            n = output.neurons * width
        elif is_column(output):
            n = rows
        cost = output_error(net.loss, layer, where, at, y_at, n, weight * scale, width > 1)
        if together:
            turn_back(net, output, layer, r, rows)
            hit = first_greatest(where, layer.a, n) == first_greatest(where, y_at, n)
            hits = select(hit, weight, broadcast(arena, 0))
            store_first(arena, net.row_hits + r, hits, rows)
        # A row of weight 0 does not count, be its cost infinite.
        cost = select(weight == 0, weight, weight * cost)
        store_first(arena, net.row_costs + r, cost, rows)
        nothing = first_true(weight == 0)
        for i in range(r + nothing, r + rows):
            if arena[net.row_weights + i] == 0:
                forget_row(net, i)


@inlined
def has_few_classes(output, arena):
    """Whether rows of a softmax are best finished together, as many as there are lanes.

    One by one they wait for sums over lanes and divide for themselves: 200 rows of ten classes, in
    float64, took 22 rather than 9.5 us with their hits.
    """
    n = output.neurons
    return output.activation == SOFTMAX and 1 < n <= FEW_CLASSES * lanes(arena)


@kernel
def turn(net, output, r, rows):
    """Transpose z and y of a vector of rows into the panel, so that each output is a vector.

    Returns the panel, the outputs' Layer there, and where in it they and y begin. With the padding
    of the rows, of which whole squares are made.
    """
    width, step, at = lanes(net.arena), output.row_step, r * output.row_step
    padded = parts(output.neurons, width) * width
    size = padded * width
    pack(transpose(matrix(net.arena, output.z + at, rows, padded, step)), net.panel, width)
    y = matrix(net.arena, net.targets + at, rows, padded, step)
    pack(transpose(y), advance(net.panel, size), width)
    turned = Layer(
        padded, width, output.weights, output.biases, output.activation,
        0, 2 * size, 3 * size, output.dropped, output.packed_weights,
    )  # fmt: skip
    return net.panel, turned, 0, size


@kernel
def turn_back(net, output, turned, r, rows):
    """Transpose a and delta of a vector of rows back to where they belong."""
    step, at = output.row_step, r * output.row_step
    a = matrix(net.panel, turned.a, turned.neurons, rows, turned.row_step)
    pack(transpose(a), advance(net.arena, output.a + at), step)
    delta = matrix(net.panel, turned.delta, turned.neurons, rows, turned.row_step)
    pack(transpose(delta), advance(net.arena, output.delta + at), step)


@kernel
def first_greatest(columns, at, n):
    """For each lane, where the first of the greatest begins among n numbers, a vector each."""
    greatest, place = load(columns, at), broadcast(columns, 0)
    for j in range(lanes(columns), n, lanes(columns)):
        x = load(columns, at + j)
        place = select(x > greatest, broadcast(columns, j), place)
        greatest = select(x > greatest, x, greatest)
    return place


@inlined
def is_hit(arena, a_at, y_at, n):
    """Whether the predicted class is the target's; one output says class 1 above a half."""
    if n == 1:
        return (arena[a_at] > 0.5) == (arena[y_at] > 0.5)
    return argmax(arena, a_at, n) == argmax(arena, y_at, n)


@kernel
def mark_hits(net, first, last):
    """The weight of each row of a batch whose class is predicted, once `finish_rows` is done."""
    arena, output = net.arena, layer_of(net, net.depth)
    if has_few_classes(output, arena):  # `finish_rows` has seen to it
        return
    for r in range(first, last):
        at = r * output.row_step
        hit = is_hit(arena, output.a + at, net.targets + at, output.neurons)
        arena[net.row_hits + r] = arena[net.row_weights + r] if hit else 0


@kernel
def total(net, numbers, rows):
    """Sum of what the rows of a batch have at `numbers` in the arena: weights, costs or hits.

    Four sums at a time: each addition to one alone would wait 1.3 ns for the last.
    """
    sums, whole = (0.0, 0.0, 0.0, 0.0), rows - rows % 4
    x = advance(net.arena, numbers)
    for r in range(0, whole, 4):
        s, t, u, v = sums
        sums = s + x[r], t + x[r + 1], u + x[r + 2], v + x[r + 3]
    last = 0.0
    for r in range(whole, rows):
        last += x[r]
    return (sums[0] + sums[1]) + (sums[2] + sums[3]) + last
