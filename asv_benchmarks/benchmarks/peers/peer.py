"""What a benchmark asks of a library."""

from abc import ABC, abstractmethod

import numpy as np

from ..cells import Cell


class Peer(ABC):
    """A net of a library that has been given a cell's data, as the library wants it."""

    modules: tuple[str, ...] = ()  # which have to be installed

    @abstractmethod
    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray) -> None: ...

    @abstractmethod
    def restore(self) -> None:
        """Put the first parameters back, so that no sample trains on from another.

        The optimizer may keep its state: that changes the next numbers, but not the work.
        """

    @abstractmethod
    def epoch(self) -> None:
        """Draw an order, and train one pass over the rows; return when it is done."""

    @abstractmethod
    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Return the output activations of rows of NumPy's, as an array of NumPy's."""

    @abstractmethod
    def value_and_grad(self) -> object:
        """Compute cost and gradient over all rows; return when it is done."""

    def warm_up(self) -> None:
        """Compile what an epoch needs."""
        self.epoch()
