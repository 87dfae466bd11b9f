"""Small data sets that the tests of the API share."""

import math

import numpy as np

from fastbp import threads

# Where a test asks for several threads they are to be tested, be nets small and cores few.
LEAST_GAIN_ASKED, threads.LEAST_GAIN_ASKED = threads.LEAST_GAIN_ASKED, -math.inf
AVAILABLE_CORES, threads.available_cores = threads.available_cores, lambda: threads.MOST_THREADS


def blobs(rows=90, n_inputs=4, n_classes=3, seed=0):
    """Gaussian clouds, one a class: X float32 (rows, n_inputs), labels int64 (rows,)."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((n_classes, n_inputs))
    y = np.arange(rows) % n_classes
    X = centres[y] + rng.standard_normal((rows, n_inputs))
    return X.astype(np.float32), y


def line(rows=60, n_inputs=3, seed=0):
    """A linear relation: X float32 (rows, n_inputs), targets float32 (rows, 1)."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, n_inputs)).astype(np.float32)
    return X, X @ np.arange(1, n_inputs + 1, dtype=np.float32)[:, None] + 0.5


def everything(net):
    """All that a wrong call must leave as it was, to the bit."""
    memory = net._memory
    carried = None
    if memory is not None:
        carried = (memory.slots.tobytes(), memory.steps, memory.epochs, memory.schedule)
    return net.parameters.tobytes(), carried, str(net._rng.bit_generator.state)
