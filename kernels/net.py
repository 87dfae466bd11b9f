"""A network and its data as kernels pass them on: pointers and numbers, nothing counted.

An array that is handed from function to function is a structure of seven numbers, which loops over
vectors would read again and again. So a kernel that Python calls, and whose caller keeps the arrays
alive, begins with `open_net` and `open_data`.
"""

from typing import NamedTuple

from .jit import inlined, kernel
from .layout import Layer, Plan
from .matrix import Matrix, matrix
from .row_tile import FEW_VECTORS
from .simd import advance, lanes, parts, pointer

PACK_WEIGHTS_FROM = 4  # blocks of rows: packing costs as much as it saves in one
LAYER_FIELDS = len(Layer._fields)
PLAN_NUMBERS = len(Plan._fields) - 1  # all but the layers


class Net(NamedTuple):
    """A Plan with its arrays."""

    parameters: object  # pointer
    arena: object  # pointer
    layers: object  # pointer
    depth: int  # L
    loss: int
    rows: int
    packs_weights: bool  # whether (W^l)^T is multiplied by as it lies packed
    targets: int
    row_weights: int
    row_costs: int
    row_hits: int
    panel: object  # pointer to this thread's panel
    block: object  # pointer to this thread's gradient block
    deltas: object  # pointer to this thread's packed part of delta^l
    has_copies: bool  # whether each thread has the next two for itself
    batch: object  # pointer to a^0
    packed: object  # pointer to the packed a^(l-1)
    row_lists: object  # pointer to this thread's lists of rows (sparse_rows.py)
    list_step: int
    has_turned: bool  # whether there is room for the next one
    turned: object  # pointer to (W^1)^T and its state


class Examples(NamedTuple):
    """A Data."""

    X: object  # pointer to (rows, columns)
    rows: int
    columns: int
    labels: object  # pointer
    has_labels: bool
    targets: object  # pointer
    weights: object  # pointer
    has_weights: bool


@inlined
def open_net(table, parameters, arena, thread, n_rows):
    """The Net of a layout.plan_table, its parameters and its arena, for one of the threads.

    Of `n_rows` that it is to be run on, many make it worth while to pack its weights.
    """
    t = pointer(table, 0)
    loss, rows, targets, weights, costs, hits = t[0], t[1], t[2], t[3], t[4], t[5]
    own_size, panel, block, deltas = t[6], t[7], t[8], t[9]
    copy_step, batch, packed = t[10], t[11], t[12]
    row_lists, list_step, turned = t[13], t[14], t[15]
    own, copy = pointer(arena, thread * own_size), pointer(arena, thread * copy_step)
    layers = pointer(table, PLAN_NUMBERS)
    return Net(
        pointer(parameters, 0),
        pointer(arena, 0),
        layers,
        (table.size - PLAN_NUMBERS) // LAYER_FIELDS - 1,
        loss,
        rows,
        n_rows >= PACK_WEIGHTS_FROM * rows and layers[2 * LAYER_FIELDS - 1] >= 0,
        targets,
        weights,
        costs,
        hits,
        advance(own, panel),
        advance(own, block),
        advance(own, deltas),
        copy_step > 0,
        advance(copy, batch),
        advance(copy, packed),
        advance(own, row_lists),
        list_step,
        turned >= 0,
        pointer(arena, turned),
    )


@inlined
def open_data(data):
    """The Examples of a Data."""
    return Examples(
        pointer(data.X, 0),
        data.X.shape[0],
        data.X.shape[1],
        pointer(data.labels, 0),
        data.labels.size > 0,
        pointer(data.targets, 0),
        pointer(data.weights, 0),
        data.weights.size > 0,
    )


@kernel
def layer_of(net, l):
    """Layer l of the book; layer 0 is the input."""
    t, i = net.layers, l * LAYER_FIELDS
    return Layer(
        t[i], t[i + 1], t[i + 2], t[i + 3], t[i + 4],
        t[i + 5], t[i + 6], t[i + 7], t[i + 8], t[i + 9],
    )  # fmt: skip


@inlined
def from_row(net, layer, row):
    """The Net in which the rows of this layer, and of no other, begin with one of theirs."""
    return Net(
        net.parameters, advance(net.arena, row * layer.row_step), net.layers, net.depth, net.loss,
        net.rows, net.packs_weights, net.targets, net.row_weights, net.row_costs, net.row_hits,
        net.panel, net.block, net.deltas, net.has_copies, net.batch, net.packed,
        net.row_lists, net.list_step, net.has_turned, net.turned,
    )  # fmt: skip


@kernel
def weight_matrix(net, l):
    """W^l (n_l, n_(l-1))."""
    layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
    return matrix(net.parameters, layer.weights, layer.neurons, n_below, n_below)


@kernel
def packed_weights(net, l):
    """(W^l)^T (n_(l-1), n_l), where it lies packed, or of few neurons in rows of whole vectors."""
    layer, n_below = layer_of(net, l), layer_of(net, l - 1).neurons
    data, width = advance(net.arena, layer.packed_weights), lanes(net.arena)
    if layer.neurons <= FEW_VECTORS * width:
        return Matrix(data, n_below, layer.neurons, parts(layer.neurons, width) * width, 1)
    return Matrix(data, n_below, layer.neurons, n_below, 0)


@kernel
def z_matrix(net, l, rows):
    """z^l (rows, n_l)."""
    layer = layer_of(net, l)
    return matrix(net.arena, layer.z, rows, layer.neurons, layer.row_step)


@kernel
def a_matrix(net, l, rows):
    """a^l (rows, n_l); a^0 is the batch."""
    layer = layer_of(net, l)
    data = advance(net.arena, layer.a) if l > 0 else net.batch
    return Matrix(data, rows, layer.neurons, layer.row_step, 1)


@kernel
def delta_matrix(net, l, rows):
    """delta^l (rows, n_l)."""
    layer = layer_of(net, l)
    return matrix(net.arena, layer.delta, rows, layer.neurons, layer.row_step)


@kernel
def rows_of(examples, first, last):
    """Rows first .. last-1 of X, where the user has them."""
    n = examples.columns
    return matrix(examples.X, first * n, last - first, n, n)
