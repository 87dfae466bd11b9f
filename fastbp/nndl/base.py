"""What the two Networks of the book share: the forward pass, backpropagation, the epochs.

Training has two roads, and both give the same weights to rounding:

    compiled   a whole epoch in kernels.epoch.train                              Engine
    loop       the book's: backprop for each example, update_mini_batch for each mini-batch

The loop is taken where a method that the kernels replace (LOOP_METHODS) is not the book's own, as
in a subclass, or where the cost's error of the output is not (`_compiled_loss`).
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from fastbp.interrupts import Interrupts
from fastbp.nndl.engine import Engine
from fastbp.nndl.examples import Examples
from fastbp.nndl.shuffling import shuffle
from fastbp.validation import Array, integer

__all__ = ["BookNetwork", "sigmoid", "sigmoid_prime"]

LOOP_METHODS = ("update_mini_batch", "backprop", "feedforward", "cost_derivative")


def sigmoid(z: Any) -> Any:
    """sigma(z) = 1 / (1 + e^-z): book, chapter 1, equation 3."""
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z: Any) -> Any:
    """sigma'(z) = sigma(z) (1 - sigma(z))."""
    return sigmoid(z) * (1 - sigmoid(z))


class BookNetwork(ABC):
    """Weights, biases and what is computed from them.

    Attributes
    ----------
    num_layers : int
        Layers, the input counted.
    sizes : list of int
    weights : list of ndarray
        weights[l] joins layer l (from 0, the input) to the next: (sizes[l+1], sizes[l]).
    biases : list of ndarray
        biases[l] belongs to the same: a column (sizes[l+1], 1).
    """

    def __init__(self, sizes: list[int]) -> None:
        self.num_layers = len(sizes)
        self.sizes = sizes
        self.weights: list[Array] = []
        self.biases: list[Array] = []

    _shuffle = staticmethod(shuffle)

    def _draw_normal(self) -> None:
        """Draw N(0, 1): all biases first, then all weights, as the book does."""
        randn = np.random.randn  # the book's draws come from the global state
        self.biases = [randn(n, 1) for n in self.sizes[1:]]
        self.weights = [randn(n, n_below) for n_below, n in pairwise(self.sizes)]

    def feedforward(self, a: Array) -> Array:
        """Return the output (n_L, 1) for the input a (n_0, 1)."""
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def backprop(self, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
        """Return (nabla_b, nabla_w) of one example's cost: BP1 to BP4, one column at a time.

        nabla_b[l] and nabla_w[l] have the shapes of biases[l] and weights[l].
        """
        activations, zs = [x], []
        for b, w in zip(self.biases, self.weights, strict=True):
            zs.append(np.dot(w, activations[-1]) + b)
            activations.append(sigmoid(zs[-1]))
        delta = self._output_error(zs[-1], activations[-1], y)  # BP1
        nabla_b, nabla_w = [delta], [np.dot(delta, activations[-2].T)]
        for l in range(len(zs) - 2, -1, -1):
            delta = np.dot(self.weights[l + 1].T, delta) * sigmoid_prime(zs[l])  # BP2
            nabla_b.insert(0, delta)  # BP3
            nabla_w.insert(0, np.dot(delta, activations[l].T))  # BP4
        return nabla_b, nabla_w

    @abstractmethod
    def _output_error(self, z: Array, a: Array, y: Array) -> Array:
        """BP1: delta^L, (n_L, 1)."""

    @abstractmethod
    def _compiled_loss(self) -> str | None:
        """Name of the kernels' cost that has this net's output error, or None."""

    def _descend(self, mini_batch: Any, eta: float, decay: float) -> None:
        """One step of gradient descent by the loop: w <- w - eta (mean nabla_w + decay w)."""
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            of_b, of_w = self.backprop(x, y)
            nabla_b = [total + nabla for total, nabla in zip(nabla_b, of_b, strict=True)]
            nabla_w = [total + nabla for total, nabla in zip(nabla_w, of_w, strict=True)]
        rate = eta / len(mini_batch)
        self.weights = [
            (1 - eta * decay) * w - rate * nabla
            for w, nabla in zip(self.weights, nabla_w, strict=True)
        ]
        self.biases = [b - rate * nabla for b, nabla in zip(self.biases, nabla_b, strict=True)]

    def _is_the_books(self, *names: str) -> bool:
        """Whether these methods are the ones of this package, not a user's."""
        return all(
            getattr(getattr(self, name), "__module__", "").startswith(__package__)
            for name in names
            if hasattr(self, name)
        )

    def _epochs(
        self,
        training_data: list[Any],
        examples: Examples,
        epochs: int,
        mini_batch_size: int,
        eta: float,
        decay: float,
        update: Callable[[Any], None],
    ) -> Iterator[int]:
        """Train one epoch, yield its number, and so on.

        `training_data` is shuffled in place by `random`, as in the book; `examples` are the same
        pairs in the order they came in. `update` makes one step of the loop.
        """
        size = min(integer("mini_batch_size", mini_batch_size), max(1, len(training_data)))
        loss = self._compiled_loss() if self._is_the_books(*LOOP_METHODS) else None
        if loss is None:
            for j in range(epochs):
                random.shuffle(training_data)
                for k in range(0, len(training_data), size):
                    update(training_data[k : k + size])
                yield j
            return
        engine = Engine(self.weights, self.biases, loss, size, examples)
        order = np.arange(len(examples), dtype=np.int64)
        for j in range(epochs):
            with Interrupts() as interrupts:
                engine.load(self.weights, self.biases)  # whoever printed may have assigned
                self._shuffle(order)  # the draws of shuffling the list itself
                try:
                    engine.train_epoch(order, eta, decay, interrupts)
                finally:  # also after Ctrl-C: what has been learned is kept
                    training_data[:] = map(examples.pairs.__getitem__, order.tolist())
                    self.weights, self.biases = engine.weights(), engine.biases()
            yield j

    def _outputs(self, data: Examples) -> Array:
        """Return a^L of all examples as rows, (n, n_L)."""
        if self._is_the_books("feedforward"):
            return Engine(self.weights, self.biases).outputs(data)
        return np.concatenate([self.feedforward(x) for x, _ in data], axis=1).T

    def _count_correct(self, data: Examples, classes: Array) -> int:
        """How many examples have their greatest output where `classes` (n,) says."""
        return int(np.sum(np.argmax(self._outputs(data), axis=1) == classes))
