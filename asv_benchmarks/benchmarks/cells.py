"""The work: a net, an optimizer and a number of rows, by a letter; and data to do it on.

The number of rows is a multiple of the batch size, so that everybody sees full batches only.
"""

import os
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

DISTINCT_ROWS = 5000


class Cell(NamedTuple):
    """A training problem. Costs are those of fastbp.MLP: summed over outputs, mean over rows."""

    sizes: tuple[int, ...]
    hidden: str  # activation
    output: str  # activation
    loss: str
    optimizer: str  # sgd or adam
    rate: float
    batch: int
    rows: int
    l2: float = 0.0
    momentum: float = 0.0

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return sum(n * (n_below + 1) for n_below, n in pairwise(self.sizes))

    @property
    def step_flops(self) -> int:
        """Operations in a step's matrix products, as if no zero were left out.

        There is no delta to send below layer 1.
        """
        layers = [n * n_below for n_below, n in pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(layers) - layers[0])


BOOK = ("sigmoid", "sigmoid", "quadratic", "sgd")
MODERN = ("relu", "softmax", "cross_entropy", "adam", 1e-3)

CELLS = {
    "A": Cell((784, 30, 10), *BOOK, 3.0, 10, 50000),
    "B": Cell((784, 100, 10), "sigmoid", "sigmoid", "cross_entropy", "sgd", 0.5, 10, 50000, 1e-4),
    "C": Cell((784, 100, 10), *MODERN, 32, 48000),
    "D": Cell((784, 256, 128, 10), *MODERN[:3], "sgd", 0.05, 64, 48000, momentum=0.9),
    "E": Cell((784, 512, 512, 10), *MODERN, 128, 25600),
    "F": Cell((784, 2048, 2048, 10), *MODERN, 512, 5120),
    "G": Cell((4, 32, 32, 1), "tanh", "linear", "quadratic", "adam", 1e-3, 32, 9984),
    "H": Cell((784, 30, 10), *BOOK, 0.1, 1, 10000),
}

if os.environ.get("FASTBP_BENCHMARKS_SMALL"):  # where they are run to see that they do run
    CELLS = {
        name: cell._replace(rows=max(1, cell.rows // 10 // cell.batch) * cell.batch)
        for name, cell in CELLS.items()
    }

# Cell I: the cost and its gradient over all rows, no update.
GRADIENT_CELL = Cell((2, 64, 64, 1), "tanh", "linear", "quadratic", "sgd", 0.01, 1000, 1000)

# Cells JA and JE: the nets of A and E run forward over so many rows; J1: that of A over one.
INFERENCE_ROWS = 10000


@cache
def examples(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Return X (rows, n_0) in float32, and y: labels, or targets (rows, 1) of a regression.

    784 columns are the digits that are part of fastbp, others random numbers. They come again and
    again; in memory all of them are there. Nobody may change them: the next caller gets the same
    arrays.
    """
    rng = np.random.default_rng(0)
    n_inputs, n_outputs = cell.sizes[0], cell.sizes[-1]
    count = min(cell.rows, DISTINCT_ROWS)
    if n_inputs == 784:
        from fastbp.datasets import load_mnist_sample

        sample = load_mnist_sample()
        X, y = sample.train_images[:count] / np.float32(255), sample.train_labels[:count]
    elif cell.output == "linear":
        X = rng.uniform(-1, 1, (count, n_inputs)).astype(np.float32)
        y = 0.5 * np.sin(2 * X.sum(axis=1, keepdims=True))
    else:
        X, y = rng.random((count, n_inputs), np.float32), rng.integers(n_outputs, size=count)
    again = np.arange(cell.rows) % count
    rows = aligned((cell.rows, n_inputs))
    np.take(X, again, axis=0, out=rows, mode="clip")  # which needs no memory of its own
    return rows, y[again]


def aligned(shape: tuple[int, int]) -> np.ndarray:
    """Return an array of float32 that begins at a cache line: JAX reads it where it lies."""
    size, line = 4 * shape[0] * shape[1], 64
    memory = np.empty(size + line, np.uint8)
    start = -memory.ctypes.data % line
    return memory[start : start + size].view(np.float32).reshape(shape)


def one_hot(y: np.ndarray, n_outputs: int) -> np.ndarray:
    """Return targets (rows, n_outputs) in float32, whether y holds labels or targets."""
    return y if y.ndim == 2 else np.eye(n_outputs, dtype=np.float32)[y]


def first_parameters(cell: Cell) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return [(W^1, b^1), ...], W^l (n_l, n_(l-1)): where every library begins to train."""
    rng = np.random.default_rng(1)
    return [
        (
            rng.standard_normal((n, n_below), dtype=np.float32) / np.float32(n_below**0.5),
            np.zeros(n, np.float32),
        )
        for n_below, n in pairwise(cell.sizes)
    ]
