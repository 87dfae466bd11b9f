"""Dropout (Srivastava and others 2014), inverted: kept activations are scaled by 1 / (1 - rate).

Whether a neuron is kept for an example is a hash of (seed, step, layer, row, neuron) and nothing
else: no generator's state, so any thread can draw any part of the mask, in any order.
"""

import numpy as np

from .activations import derivative
from .jit import inlined, kernel
from .net import layer_of
from .simd import lanes, load, store


@inlined
def mix(x):
    """Scramble 64 bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 15)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def drop(net, l, rows, first, last, rate, seed, step):
    """Drop some of a^l, neurons first .. last-1 of each row; leave what BP2 will need.

    a' = a * mask, mask 0 (dropped) or 1 / (1 - rate) (kept); BP2 multiplies by mask * sigma'(z).
    """
    layer, arena = layer_of(net, l), net.arena
    kept = 1.0 / (1.0 - rate)
    limit = np.uint64(rate * 18446744073709551616.0)  # 2^64
    key = mix(mix(np.uint64(seed) + np.uint64(step)) + np.uint64(l))
    for r in range(rows):
        row_key = mix(key + np.uint64(r))
        at = r * layer.row_step
        for j in range(first, last):
            is_kept = mix(row_key + np.uint64(j)) >= limit
            arena[layer.dropped + at + j] = kept if is_kept else 0.0
        for j in range(at + first, at + last, lanes(arena)):
            mask = load(arena, layer.dropped + j)
            z, a = load(arena, layer.z + j), load(arena, layer.a + j)
            store(arena, layer.dropped + j, mask * derivative(layer.activation, z, a))
            store(arena, layer.a + j, mask * a)


@inlined
def multiply_by_dropped(arena, layer, rows, first, last):
    """delta *= what `drop` has left, the second half of BP2, of neurons first .. last-1."""
    for r in range(rows):
        row = r * layer.row_step
        for at in range(row + first, row + last, lanes(arena)):
            delta = load(arena, layer.delta + at) * load(arena, layer.dropped + at)
            store(arena, layer.delta + at, delta)
