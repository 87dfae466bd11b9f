"""Layer 1 of rows that are mostly 0, as digits are, while `train` runs: W^1 lies transposed.

Of an input that is 0 neither z^1 nor nabla_w^1 hears: a fifth of a digit's pixels do all the work.
So there is a list for each row of a batch, of the inputs that are not 0, and an input's weights lie
side by side in the arena, with their optimizer's state, from the first step of a call to its last:

    z^1 = sum over the list of a^0_k (W^T)_k          a tile of one row (row_tile.py)
    (nabla_w^T)_k += a^0_k delta^1 for each of them   BP4, a row of the batch after the other

A thread has its neurons' columns of all that for itself, and lists for itself. Plain gradient
descent adds to the weights, without a gradient in between; other optimizers get the gradient of
some inputs at a time, which stays in the cache until they have applied it.
"""

import numpy as np

from .jit import inlined, kernel
from .listed import LISTED_FROM
from .matmul import SKIP_ROWS
from .matrix import matrix, n_bytes, pack, transpose
from .net import a_matrix, layer_of, weight_matrix
from .row_tile import add_row_multiples, FEW_VECTORS, places_at_once, row_tile
from .simd import (
    absolute,
    advance,
    broadcast,
    fma,
    lanes,
    load,
    parts,
    store,
    store_first,
    sum_lanes,
)
from .target import VECTOR_BYTES
from .threads import share, share_of
from .updates import is_plain, Slice, update
from .zeros import list_row, places_in

# Bytes of a gradient, or of weights that shrink before they change, that stay in the second-level
# cache meanwhile. So few that the first level has room cost 3 to 5 % more: lists are cut oftener.
CACHED_BYTES = 100_000
SPARSE_ROWS_FROM = 4  # of a batch, for an optimizer that has a state
# Bytes of W^T up to which it is for batches of any size: it stays in the second-level cache, and 16
# registers hold all sums of 100 neurons at once. Without AVX-512 a step of [784, 30, 10] with 200
# rows takes 0.82 of the time, and one of [784, 100, 10] 0.95.
STAYING_BYTES = 0 if VECTOR_BYTES == 64 else 420_000
# A list: how many places there are, how many of them are done with, and then the places.
COUNT, DONE, PLACES = range(3)


@inlined
def suits_sparse_rows(net, rule, batch_size):
    """Whether to train layer 1 so: there is room, and nobody asks for W^1 or its whole gradient.

    An optimizer with a state has to go through all of it for each batch, so that few rows do not
    pay; nor do as many as suit the lists of listed.py, unless W^T is small.
    """
    if not net.has_turned or rule.clip_norm > 0.0 or rule.max_norm > 0.0:
        return False
    layer = layer_of(net, 1)
    stays = n_bytes(weight_matrix(net, 1)) <= STAYING_BYTES
    is_many = batch_size >= LISTED_FROM and layer.neurons >= SKIP_ROWS and not stays
    return is_plain(rule) or (batch_size >= SPARSE_ROWS_FROM and not is_many)


@inlined
def turned_neurons(net, team):
    """This thread's neurons of layer 1: whole vectors, so that columns of W^T are its alone."""
    return share(layer_of(net, 1).neurons, lanes(net.arena), team)


@inlined
def _list_of_row(net, r):
    return advance(places_in(net.row_lists, np.uint16), r * net.list_step)


@inlined
def _numbers(net, trainee, slot):
    """Where W^1 has its place for the rest of the time (slot 0), or the optimizer's state."""
    if slot == 0:
        return net.parameters
    return trainee.state if slot == 1 else trainee.second_state


@inlined
def _turned(net, slot, first):
    """The same, transposed: n_0 rows of whole vectors, of a thread's neurons from `first` on.

    Each thread's rows lie together. Where theirs took turns, the processor fetched the next one's
    with each: two threads took four times as long as one.
    """
    n_0 = layer_of(net, 0).neurons
    return advance(net.turned, (slot * layer_of(net, 1).row_step + first) * n_0)


@inlined
def _neurons_at_once(net, first, last):
    """Of how many neurons a tile is, in tiles as even as can be."""
    vectors = parts(max(1, last - first), lanes(net.arena))
    return parts(vectors, parts(vectors, FEW_VECTORS)) * lanes(net.arena)


@inlined
def _row_step(net, first, last):
    return parts(max(1, last - first), lanes(net.arena)) * lanes(net.arena)


@kernel
def turn_weights(net, trainee, first, last):
    """Transpose W^1 and its state to the arena, of neurons first .. last-1."""
    layer, n_0, step = layer_of(net, 1), layer_of(net, 0).neurons, _row_step(net, first, last)
    for slot in range(1 + trainee.slots if first < last else 0):
        at = layer.weights + first * n_0
        W = matrix(_numbers(net, trainee, slot), at, last - first, n_0, n_0)
        pack(transpose(W), _turned(net, slot, first), step)


@kernel
def turn_weights_back(net, trainee, first, last):
    """Transpose them back, a vector of neurons after the other: what lies behind stays as it is."""
    layer, n_0, width = layer_of(net, 1), layer_of(net, 0).neurons, lanes(net.arena)
    padded = parts(n_0, width) * width
    for slot in range(1 + trainee.slots):
        W = advance(_numbers(net, trainee, slot), layer.weights)
        for j in range(first, last, width):
            neurons = min(width, last - j)
            start, step = j - first, _row_step(net, first, last)
            W_T = matrix(_turned(net, slot, first), start, n_0, neurons, step)
            block = pack(transpose(W_T), net.block, padded)
            for i in range(neurons):
                for k in range(0, n_0, width):
                    store_first(W, (j + i) * n_0 + k, load(block.data, i * padded + k), n_0 - k)


@kernel
def turned_penalty(net, rule, n_threads):
    """Cost of the rule's penalties of W^1, summed in an order that all shares of it have."""
    n, n_0, width = layer_of(net, 1).neurons, layer_of(net, 0).neurons, lanes(net.arena)
    total = 0.0
    for thread in range(n_threads):
        first, last = share_of(n, width, thread, n_threads)
        weights, step = _turned(net, 0, first), _row_step(net, first, last)
        for j in range(0, last - first, width):
            # Two sums of squares, as in `penalty`; of an odd number of inputs the last is alone.
            lengths, nothing = broadcast(net.arena, 0), broadcast(net.arena, 0)
            squares, others = lengths, lengths
            for k in range(0, n_0, 2):
                w = load(weights, k * step + j)
                other = load(weights, (k + 1) * step + j) if k + 1 < n_0 else nothing
                squares, others = fma(w, w, squares), fma(other, other, others)
                lengths = lengths + (absolute(w) + absolute(other))
            total += rule.l2 / 2 * sum_lanes(squares + others) + rule.l1 * sum_lanes(lengths)
    return total


@kernel
def list_rows(net, rows):
    """Write the list of each row of the batch."""
    a_0 = a_matrix(net, 0, rows)
    for r in range(rows):
        places = _list_of_row(net, r)
        row = advance(a_0.data, r * a_0.row_step)
        places[COUNT] = list_row(row, a_0.columns, advance(places, PLACES))


@kernel
def weigh_sparse_rows(net, rows, first, last):
    """z^1 = a^0 (W^1)^T of neurons first .. last-1, still without b^1."""
    a_0, layer = a_matrix(net, 0, rows), layer_of(net, 1)
    W_T, step = _turned(net, 0, first), _row_step(net, first, last)
    most = _neurons_at_once(net, first, last)
    at_once = places_at_once(layer.neurons, lanes(net.arena))
    for r in range(rows):
        places, a = _list_of_row(net, r), advance(a_0.data, r * a_0.row_step)
        z = advance(net.arena, layer.z + r * layer.row_step)
        for j in range(first, last, most):
            row_tile(
                at_once, min(most, last - j), advance(places, PLACES), places[COUNT],
                a, advance(W_T, j - first), step, advance(z, j), a,
            )  # fmt: skip


@kernel
def descend_sparse_rows(net, trainee, rule, numbers, rows, first, last):
    """BP4 of neurons first .. last-1 of layer 1, applied to the turned weights."""
    n_0, step, plain = layer_of(net, 0).neurons, _row_step(net, first, last), is_plain(rule)
    W_T = _turned(net, 0, first)
    inputs = max(1, CACHED_BYTES * lanes(net.arena) // (step * VECTOR_BYTES))
    if plain and numbers.decay == 1.0:  # only weights that change are looked at
        inputs = n_0
    for r in range(rows):
        _list_of_row(net, r)[DONE] = 0
    for k in range(0, n_0 if first < last else 0, inputs):
        k_end = min(k + inputs, n_0)
        at, count = k * step, (k_end - k) * step
        if plain:
            if numbers.decay != 1.0:
                _scale(advance(W_T, at), count, numbers.decay)
            add_products(net, rows, first, last, k_end, -numbers.rate, W_T, step)
        else:
            _scale(net.block, count, 0.0)
            add_products(net, rows, first, last, k_end, 1.0, advance(net.block, -at), step)
            m, v = _turned(net, 1, first), _turned(net, 2, first)
            where = Slice(advance(W_T, at), net.block, advance(m, at), advance(v, at))
            update(rule, numbers, where, 1, count, count)


@inlined
def _scale(x, count, factor):
    """Multiply whole vectors by a factor; by 0 they become 0, whatever they were."""
    for i in range(0, count, lanes(x)):
        store(x, i, broadcast(x, 0) if factor == 0.0 else load(x, i) * factor)


@kernel
def add_products(net, rows, first, last, k_end, factor, sums, step):
    """Add factor a^0_k delta^1 to row k of `sums`, for places k below k_end not done with yet."""
    a_0, layer = a_matrix(net, 0, rows), layer_of(net, 1)
    most = _neurons_at_once(net, first, last)
    for r in range(rows):
        places = _list_of_row(net, r)
        done, count = places[DONE], places[COUNT]
        end = count
        if k_end < a_0.columns:
            end = done
            while end < count and places[PLACES + end] < k_end:
                end += 1
        places[DONE] = end
        a = advance(a_0.data, r * a_0.row_step)
        delta = advance(net.arena, layer.delta + r * layer.row_step)
        for j in range(first, last, most):
            add_row_multiples(
                min(most, last - j), advance(places, PLACES + done), end - done,
                a, factor, advance(delta, j), advance(sums, j - first), step,
            )  # fmt: skip
