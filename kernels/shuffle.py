"""Python's random.shuffle, from words that its generator has drawn in bulk.

Fisher and Yates's shuffle goes down the positions i, and exchanges what is there with what is at
some j <= i. Python draws j as the upper bits of a 32-bit word, as many as i + 1 has, and draws
again while j > i (`Random._randbelow_with_getrandbits`).
"""

import numpy as np

from .jit import kernel


@kernel
def exchange(order, last, words):
    """Shuffle positions `last`, last - 1, ... of `order` (n,) int64 until all words are used.

    `words` are uint32, at most `last` of them, since a position takes one or more. Returns the
    position to go on from; 0 when all is done.
    """
    i, drop = last, 0
    for word in words:
        # The upper bits of a word: no more than i + 1 has.
        while (np.int64(0xFFFFFFFF) >> (drop + 1)) > i:
            drop += 1
        j = np.int64(word) >> drop
        if j <= i:
            order[i], order[j] = order[j], order[i]
            i -= 1
    return i
