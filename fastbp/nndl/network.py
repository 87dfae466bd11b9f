"""The book's network.py (chapters 1 and 2): quadratic cost, N(0, 1) weights, plain SGD."""

from __future__ import annotations

from typing import Any

from fastbp.nndl.base import BookNetwork, sigmoid, sigmoid_prime
from fastbp.nndl.examples import Examples
from fastbp.validation import Array

__all__ = ["Network", "sigmoid", "sigmoid_prime"]


class Network(BookNetwork):
    """A net of sigmoid neurons with the quadratic cost C = 1/2 ||y - a||^2.

    Parameters
    ----------
    sizes : list of int
        Neurons of each layer, the input first, as [784, 30, 10]. Biases, then weights, are drawn
        from N(0, 1) by numpy.random.

    Examples
    --------
    >>> import random, numpy as np
    >>> from fastbp.nndl import network
    >>> random.seed(1); np.random.seed(1)
    >>> xor = [(np.array([[a], [b]]), np.array([[a ^ b]])) for a in (0, 1) for b in (0, 1)]
    >>> net = network.Network([2, 4, 1])
    >>> net.SGD(xor, 1, 2, 3.0)
    Epoch 0 complete
    >>> net.weights[0].shape, net.biases[0].shape
    ((4, 2), (4, 1))
    """

    def __init__(self, sizes: list[int]) -> None:
        super().__init__(sizes)
        self._draw_normal()

    def SGD(
        self,
        training_data: Any,
        epochs: int,
        mini_batch_size: int,
        eta: float,
        test_data: Any = None,
    ) -> None:
        """Train by stochastic gradient descent; print a line after each epoch.

        Parameters
        ----------
        training_data : list of (x, y)
            x a column (n_0, 1), y a column (n_L, 1). A list is left shuffled, as in the book.
        epochs, mini_batch_size : int
        eta : float
            The learning rate.
        test_data : list of (x, y), optional
            y the index of the right output. How many are right is printed.
        """
        pairs = training_data if isinstance(training_data, list) else list(training_data)
        test = Examples.of(test_data) if test_data else None

        def update(mini_batch: Any) -> None:
            self.update_mini_batch(mini_batch, eta)

        for j in self._epochs(pairs, Examples(pairs), epochs, mini_batch_size, eta, 0.0, update):
            if test is not None:
                print(f"Epoch {j}: {self.evaluate(test)} / {len(test)}")
            else:
                print(f"Epoch {j} complete")

    def update_mini_batch(self, mini_batch: Any, eta: float) -> None:
        """Make one step with the mean gradient of a list of (x, y)."""
        self._descend(mini_batch, eta, 0.0)

    def evaluate(self, test_data: Any) -> int:
        """Return how many of the (x, index) have their greatest output at the index."""
        data = Examples.of(test_data)
        return self._count_correct(data, data.labels)

    def cost_derivative(self, output_activations: Array, y: Array) -> Array:
        """dC/da of the output activations: a - y."""
        return output_activations - y

    def _output_error(self, z: Array, a: Array, y: Array) -> Array:
        error: Array = self.cost_derivative(a, y) * sigmoid_prime(z)
        return error

    def _compiled_loss(self) -> str:
        return "quadratic"
