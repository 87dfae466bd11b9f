"""Dropout (Srivastava and others 2014), inverted: kept activations are scaled by 1 / (1 - rate).

Whether a neuron is kept for an example is a hash of (seed, step, layer, row, neuron) and nothing
else: no generator's state, so any thread can draw any part of the mask, in any order.
"""

import numpy as np

from .jit import kernel


@kernel
def mix(x):
    """Scramble 64 bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 15)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def draw_mask(arena, mask_at, row_step, rows, first, last, rate, seed, step, layer):
    """Write 0 (dropped) or 1 / (1 - rate) (kept) for neurons first..last-1 of each row."""
    kept = arena.dtype.type(1.0 / (1.0 - rate))
    dropped = arena.dtype.type(0.0)
    limit = np.uint64(rate * 18446744073709551616.0)  # 2^64
    key = mix(mix(np.uint64(seed) + np.uint64(step)) + np.uint64(layer))
    for r in range(rows):
        row_key = mix(key + np.uint64(r))
        mask = arena[mask_at + r * row_step + first : mask_at + r * row_step + last]
        for j in range(mask.size):
            drawn = mix(row_key + np.uint64(first + j))
            mask[j] = dropped if drawn < limit else kept
