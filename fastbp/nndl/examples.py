"""The book's lists of (x, y), x and y columns, as the rows that kernels read."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fastbp.kernels import layout
from fastbp.validation import Array, message, read_only

__all__ = ["Examples"]

BLOCK = 200  # examples that are converted together: 1.3 MB of MNIST's, within a core's cache
LINE = 8  # float64 numbers of a line of the cache


class Examples(Sequence[Any]):
    """A list of pairs (x, y) that also remembers itself as two arrays.

    Parameters
    ----------
    pairs : iterable of (x, y)
        x is a column (n_0, 1). In training data y is a column (n_L, 1) too; in validation and test
        data it is the index of the right output.
    """

    def __init__(self, pairs: Iterable[Any]) -> None:
        self.pairs = list(pairs)

    @classmethod
    def of(cls, data: Iterable[Any]) -> "Examples":
        """Return data itself if it is converted already."""
        return data if isinstance(data, cls) else cls(data)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, i: Any) -> Any:
        return self.pairs[i]

    @cached_property
    def inputs(self) -> Array:
        """All x as rows: float64, (n, n_0), read-only."""
        return rows("x", [x for x, _ in self.pairs])

    @cached_property
    def n_inputs(self) -> int:
        """The length of every x."""
        return column_length("x", [x for x, _ in self.pairs])

    @cached_property
    def used(self) -> Array:
        """Numbers of the inputs, in order, that are not 0 in all examples: int64, (m,).

        Some others are among them, so that rows end where a line of the cache does. Of MNIST's 784
        pixels 67 are always 0, and an epoch is a tenth shorter without them.
        """
        columns = [x for x, _ in self.pairs]
        is_used = np.zeros(self.n_inputs, bool)
        for first in range(0, len(columns), BLOCK):
            is_used |= as_rows(columns[first : first + BLOCK]).any(axis=0)
        wanted = max(1, -(-int(is_used.sum()) // LINE)) * LINE
        is_used[np.flatnonzero(~is_used)[: wanted - int(is_used.sum())]] = True
        return np.flatnonzero(is_used)

    @cached_property
    def used_inputs(self) -> Array:
        """The used inputs as rows, (n, m), read-only: float64, or float32 where that is exact.

        An epoch fetches all of them from memory: 11 % of its time for float64.
        """
        try:
            return read_only(self._used_inputs(np.float32))
        except Inexact:
            return read_only(self._used_inputs(np.float64))

    def _used_inputs(self, dtype: type) -> Array:
        columns, used = [x for x, _ in self.pairs], self.used
        matrix: Array = layout.aligned_zeros((len(columns), len(used)), dtype)
        for first in range(0, len(columns), BLOCK):
            block = as_rows(columns[first : first + BLOCK])[:, used]
            with np.errstate(over="ignore"):
                matrix[first : first + BLOCK] = block
            if dtype == np.float32 and (matrix[first : first + BLOCK] != block).any():
                raise Inexact
        return matrix

    @cached_property
    def targets(self) -> Array:
        """All y, which are columns, as rows: float64, (n, n_L), read-only."""
        return rows("y", [y for _, y in self.pairs])

    @cached_property
    def labels(self) -> Array:
        """All y, which are indices: (n,)."""
        return np.array([y for _, y in self.pairs])

    def one_hot(self, n_outputs: int) -> Array:
        """All y, which are indices, as rows with a single 1: float64, (n, n_L)."""
        return np.eye(n_outputs)[self.labels]


class Inexact(Exception):
    """A number has more digits than float32; inside this module only."""


def rows(name: str, columns: list[Any]) -> Array:
    """Return columns of one shape (m, 1) as the rows of a read-only float64 matrix, or raise."""
    column_length(name, columns)
    return read_only(as_rows(columns))


def as_rows(columns: list[Any]) -> Array:
    """Return columns of one shape as the rows of a float64 matrix.

    One pass over memory: the columns end to end are the rows of the matrix.
    """
    matrix: Array = np.concatenate(columns, dtype=np.float64, casting="same_kind")
    return matrix.reshape(len(columns), -1)


def column_length(name: str, columns: list[Any]) -> int:
    """Return the m of columns of one shape (m, 1).

    Raises
    ------
    ValueError
        If there are none, or their shapes differ.
    """
    shapes = {np.shape(column) for column in columns}
    if len(shapes) != 1:
        got = f"shapes {', '.join(map(str, sorted(shapes)))}" if shapes else "no examples"
        raise ValueError(message(f"{name} of the examples", got, "columns of one shape (m, 1)"))
    shape = shapes.pop()
    if len(shape) != 2 or shape[1] != 1:
        got, advice = f"shape {shape}", "a column is np.reshape(x, (-1, 1))"
        raise ValueError(message(f"{name} of the examples", got, "columns of shape (m, 1)", advice))
    return int(shape[0])
