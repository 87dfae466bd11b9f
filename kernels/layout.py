"""Where everything lies in the two flat arrays: the parameters, and the arena.

    parameters   W^1, b^1, W^2, b^2, ...     W^l is (n_l, n_(l-1)), row-major: the book's w_jk
    arena        for each layer l            z^l, a^l, delta^l, and what dropout keeps:
                                             (rows, row_step) each
                 for the batch               targets (rows, row_step of the last layer),
                                             weight, cost and hit of each row
                 for each thread             a panel, and lists of what is not 0 (matmul.py)
                 to train                    a^0, the gathered rows of X, and
                                             a^(l-1), packed for the gradient (descent.py), or
                                             transposed, with such lists (listed.py):
                                             of both a copy for each thread, unless they are large;
                                             for each thread a block of the weight gradient,
                                             where z^T may lie before (forward.py), and
                                             some columns of delta^l, packed, and
                                             the lists of rows that are mostly 0, where there is
                                             room for (W^1)^T and its state, too (sparse_rows.py)
                 otherwise                   every (W^l)^T, packed for many rows (forward.py)

Rows in the arena are padded to whole cache lines, so that loops over vectors need no tails there.
What the padding holds is never used in a result. A `Plan` has these places; a kernel that Python
calls gets it as one array, its `plan_table`, beside the parameters and the arena, and makes them a
`Net` (net.py) for those it calls.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .activations import FROM_A
from .matmul import ROOM, SKIP_DEPTH
from .matrix import PANEL_COLUMNS, PANEL_DEPTH, PANEL_SIZE
from .target import ALIGNMENT, VECTOR_BYTES
from .zeros import LIST_BYTES

BLOCK_ROWS = 128  # rows at a time in inference and full-batch gradients: arenas stay in cache
# Rows that begin so many bytes apart fall into few sets of the caches and drive each other out:
# such rows get one more cache line: 12 % of a step of [784, 2048, 2048, 10].
ALIASING = 2048
# A block of the weight gradient has all inputs of so many neurons, where they are not too many: the
# optimizer finds it in the second-level cache, and parameters and state in one stretch each. More
# neurons where a^(l-1) is too large for that cache, and is read once for each block.
BLOCK_NEURONS = 24
TALL_BLOCK_NEURONS = 48
TALL_FROM = 1 << 18  # elements of a^(l-1)
BLOCK_SIZE = 1 << 17
# Rows from which delta^l is packed, some columns at a time: 3 to 7 % of [784, 1024, 1024, 10] and
# wider; for 384 rows of [784, 512, 512, 10] it would cost 3 %, for 200 of [64, 100, 10] 4.
PACK_DELTAS_FROM = 512
# What another core has written comes at 17 ns a cache line, and at 7 to 12 to write it again. So
# each thread copies the batch for itself, up to so many elements: two threads gained 1.46 in
# [784, 256, 128, 10], else 1.32.
COPIED_TO = 1 << 18
TURNED_BYTES = 1 << 22  # of W^1, which lies transposed where rows are mostly 0
LIST_MARGIN = 64  # places that a list needs for its beginning, and for a vector behind its end


class Layer(NamedTuple):
    """Where a layer's numbers lie: offsets into the parameters (weights, biases) and the arena."""

    neurons: int
    row_step: int  # elements from one row of its z, a, delta to the next; 1 in a column
    weights: int
    biases: int
    activation: int  # number in activations.ACTIVATIONS
    z: int  # of layer 0 there is only a, and that is Plan.batch
    a: int
    delta: int
    dropped: int  # factors that dropout leaves for BP2
    packed_weights: int  # (W^l)^T, packed; -1 where there is no room for it


class Plan(NamedTuple):
    """All that kernels need to know of a network and its arena; offsets count elements.

    They read its numbers in this order (net.py).
    """

    layers: np.ndarray  # (L + 1, 10) int64, a Layer a row: the book's layer l, 0 the input
    loss: int  # number in losses.LOSSES
    rows: int  # most rows that the arena holds at a time
    targets: int
    row_weights: int
    row_costs: int
    row_hits: int
    own_size: int  # from what the first thread has for itself to what the next one has
    panel: int  # first thread's panel (matmul.py)
    block: int  # first thread's gradient block
    deltas: int  # first thread's part of delta^l, packed
    copy_step: int  # as own_size, where each thread has the next two for itself, else 0
    batch: int  # a^0
    packed: int  # a^(l-1), packed for the gradient
    row_lists: int  # first thread's lists of rows (sparse_rows.py)
    list_step: int  # places from one list to the next
    turned: int  # (W^1)^T, and the two rows of its state; -1 where there is no room for it
    size: int  # of the arena


class Data(NamedTuple):
    """What kernels read of the user's data; the empty one of labels and targets is not read."""

    X: np.ndarray  # (n, n_0)
    labels: np.ndarray  # (n,) int64, or (0,)
    targets: np.ndarray  # (n, n_L), or (0, n_L)
    weights: np.ndarray  # (n,), or (0,): every row weighs 1


def parameter_slices(sizes) -> list[tuple[slice, slice]]:
    """(W^l, b^l) as slices of the flat vector, for l = 1..L."""
    slices, at = [], 0
    for n_below, n in pairwise(sizes):
        slices.append((slice(at, at + n * n_below), slice(at + n * n_below, at + n * n_below + n)))
        at += n * n_below + n
    return slices


def n_parameters(sizes) -> int:
    """Length of the flat vector."""
    return sum(n * (n_below + 1) for n_below, n in pairwise(sizes))


def plan(sizes, activations, loss, rows, dtype, threads=1, *, trains=False, keeps_z=False) -> Plan:
    """Place a network's layers, and an arena of so many rows, for so many threads.

    Parameters
    ----------
    sizes : sequence of int
        Neurons of layer 0 (the input) to L.
    activations : sequence of int
        Number in activations.ACTIVATIONS of each layer 1..L.
    loss : int
        Number in losses.LOSSES.
    rows : int
        Most rows of a batch.
    dtype : numpy dtype
        float32 or float64.
    threads : int
        Threads that will train at once.
    trains : bool
        Leave room for what the steps of training pack, rather than for packed weights.
    keeps_z : bool
        Keep every z^l, as the R-operator needs them. Otherwise a^l takes its place in hidden
        layers whose sigma' can do without z: 2 % of a step of [784, 512, 512, 10], in numbers
        that need not be moved.
    """
    line = ALIGNMENT // np.dtype(dtype).itemsize
    at = 0

    def place(count):
        nonlocal at
        start, at = at, at + -(-count // line) * line
        return start

    layers = []
    for n, activation, (weights, biases) in zip(
        sizes, [0, *activations], [(slice(0), slice(0)), *parameter_slices(sizes)], strict=True
    ):
        row_step = -(-n // line) * line
        if row_step % (ALIASING // np.dtype(dtype).itemsize) == 0:
            row_step += line
        where = weights.start or 0, biases.start or 0
        if not layers:
            layers.append(Layer(n, row_step, *where, activation, 0, 0, 0, 0, -1))
            continue
        is_output = len(layers) == len(sizes) - 1
        if is_output and n == 1:  # a column, and a vector behind its last row
            row_step = 1
        size = rows * row_step + (line if row_step == 1 else 0)
        z = place(size)
        is_apart = keeps_z or is_output or activation not in FROM_A
        a = place(size) if is_apart else z
        delta, dropped = place(size), place(size)
        packed_weights = -1 if trains else place(layers[-1].neurons * (n + PANEL_COLUMNS))
        layers.append(Layer(n, row_step, *where, activation, z, a, delta, dropped, packed_weights))
    targets = place(size)
    row_weights, row_costs, row_hits = place(rows), place(rows), place(rows)

    inputs, padded = max(sizes[:-1]), -(-rows // line) * line
    lists = -(-rows // PANEL_DEPTH) * inputs * LIST_BYTES // 4

    def place_batch():
        return place(rows * layers[0].row_step), place(padded * (inputs + PANEL_COLUMNS) + lists)

    has_copies = trains and rows * inputs <= COPIED_TO
    panel = place(ROOM)
    block = deltas = batch = packed = row_lists = panel
    turned, list_step = -1, -(-(sizes[0] + LIST_MARGIN) // LIST_MARGIN) * LIST_MARGIN
    if trains:
        block = place(BLOCK_SIZE)
        deltas = place(rows * TALL_BLOCK_NEURONS if rows >= PACK_DELTAS_FROM else 0)
    if has_copies:
        batch, packed = place_batch()
    can_turn = has_copies and suits_turning(sizes, layers[1].row_step, np.dtype(dtype).itemsize)
    if can_turn:
        row_lists = place(rows * list_step * 2 // np.dtype(dtype).itemsize)
    own_size = at - panel
    at += (threads - 1) * own_size
    if trains and not has_copies:
        batch, packed = place_batch()
    if can_turn:
        turned = place(3 * sizes[0] * layers[1].row_step)
    return Plan(
        np.array(layers, np.int64), int(loss), int(rows), targets, row_weights, row_costs, row_hits,
        own_size, panel, block, deltas, own_size if has_copies else 0, batch, packed,
        row_lists, list_step, turned, at,
    )  # fmt: skip


def suits_turning(sizes, row_step, itemsize) -> bool:
    """Whether layer 1 is of a size to be trained by lists of what is not 0 in its rows."""
    is_long = SKIP_DEPTH <= sizes[0] <= PANEL_SIZE
    is_wide = 2 * sizes[1] * itemsize > VECTOR_BYTES
    return is_long and is_wide and sizes[0] * row_step * itemsize <= TURNED_BYTES


def plan_table(plan: Plan) -> np.ndarray:
    """A plan as kernels take it, one array: its numbers, and then the layers.

    A dozen arguments would take 1 us more, a quarter of the time of one row forward.
    """
    return np.concatenate([np.array(plan[1:], np.int64), plan.layers.ravel()])


def aligned_zeros(shape, dtype) -> np.ndarray:
    """Return zeros that begin on a cache line; a base in mid-line costs 2 to 7 %."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    raw = np.zeros(count * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + count * dtype.itemsize].view(dtype).reshape(shape)


def aligned_copy(array, dtype=None) -> np.ndarray:
    """Return a copy that begins on a cache line, of its dtype if not of another."""
    copy = aligned_zeros(array.shape, array.dtype if dtype is None else dtype)
    copy[...] = array
    return copy
