"""The book's network2.py (chapter 3): costs to choose from, L2, monitoring, early stopping."""

from __future__ import annotations

import json
import sys
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from fastbp.nndl.base import BookNetwork, sigmoid, sigmoid_prime
from fastbp.nndl.examples import Examples
from fastbp.nndl.mnist_loader import vectorized_result
from fastbp.nndl.saved import read_saved
from fastbp.validation import Array, message

__all__ = [
    "CrossEntropyCost",
    "Network",
    "QuadraticCost",
    "load",
    "sigmoid",
    "sigmoid_prime",
    "vectorized_result",
]


class QuadraticCost:
    """C = 1/2 ||y - a||^2."""

    @staticmethod
    def fn(a: Array, y: Array) -> Any:
        """Cost of outputs a where y was wanted; of several examples, the sum."""
        return 0.5 * np.linalg.norm(a - y) ** 2

    @staticmethod
    def delta(z: Array, a: Array, y: Array) -> Array:
        """BP1: delta^L = (a - y) sigma'(z)."""
        error: Array = (a - y) * sigmoid_prime(z)
        return error


class CrossEntropyCost:
    """C = -sum_j (y_j ln a_j + (1 - y_j) ln(1 - a_j)): book, chapter 3, equation 63."""

    @staticmethod
    def fn(a: Array, y: Array) -> Any:
        """Cost of outputs a where y was wanted; of several examples, the sum.

        0 ln 0 counts as 0, and an infinite cost as the largest float, as in the book.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a)))

    @staticmethod
    def delta(z: Array, a: Array, y: Array) -> Array:
        """BP1: delta^L = a - y, whatever z (book, chapter 3, equation 66)."""
        return a - y


class Network(BookNetwork):
    """A net of sigmoid neurons.

    Parameters
    ----------
    sizes : list of int
        Neurons of each layer, the input first. Biases, then weights, are drawn by numpy.random.
    cost : class
        CrossEntropyCost, QuadraticCost, or one of your own with static methods fn(a, y) and
        delta(z, a, y) of columns. With another delta than those two, training is the book's loop
        over examples, at its speed.

    Examples
    --------
    >>> import random, numpy as np
    >>> from fastbp.nndl import network2
    >>> random.seed(1); np.random.seed(1)
    >>> xor = [(np.array([[a], [b]]), np.array([[a ^ b]])) for a in (0, 1) for b in (0, 1)]
    >>> net = network2.Network([2, 4, 1])
    >>> lists = net.SGD(xor, 1, 2, 0.5, lmbda=0.1, monitor_training_cost=True)  # doctest: +ELLIPSIS
    Epoch 0 training complete
    Cost on training data: 0.81...
    <BLANKLINE>
    """

    def __init__(self, sizes: list[int], cost: Any = CrossEntropyCost) -> None:
        super().__init__(sizes)
        self.default_weight_initializer()
        self.cost = cost

    def default_weight_initializer(self) -> None:
        """Draw biases from N(0, 1), weights from N(0, 1/n_in)."""
        self._draw_normal()
        self.weights = [w / np.sqrt(w.shape[1]) for w in self.weights]

    def large_weight_initializer(self) -> None:
        """Draw biases and weights from N(0, 1), as chapter 1 did."""
        self._draw_normal()

    def SGD(
        self,
        training_data: Any,
        epochs: int,
        mini_batch_size: int,
        eta: float,
        lmbda: float = 0.0,
        evaluation_data: Any = None,
        monitor_evaluation_cost: bool = False,
        monitor_evaluation_accuracy: bool = False,
        monitor_training_cost: bool = False,
        monitor_training_accuracy: bool = False,
        early_stopping_n: int = 0,
    ) -> tuple[list[Any], list[int], list[Any], list[int]]:
        """Train by stochastic gradient descent; print what the flags ask for after each epoch.

        w <- (1 - eta lambda/n) w - (eta/m) sum nabla_w, n examples in all, m in a mini-batch.

        Parameters
        ----------
        training_data : list of (x, y)
            x a column (n_0, 1), y a column (n_L, 1). A list is left shuffled, as in the book.
        epochs, mini_batch_size : int
        eta, lmbda : float
            The learning rate and the regularization parameter.
        evaluation_data : list of (x, y), optional
            y the index of the right output.
        monitor_evaluation_cost, monitor_evaluation_accuracy : bool
            Need evaluation_data.
        monitor_training_cost, monitor_training_accuracy : bool
        early_stopping_n : int
            Above 0: stop when so many epochs in a row have not bettered the accuracy on the
            evaluation data (or on the training data, where only that is monitored).

        Returns
        -------
        evaluation_cost, evaluation_accuracy, training_cost, training_accuracy : list
            A number an epoch; empty where the flag is not set. Accuracies count examples.
        """
        if (monitor_evaluation_cost or monitor_evaluation_accuracy) and not evaluation_data:
            raise ValueError(message("evaluation_data", "none", "data, since it is monitored"))
        if early_stopping_n > 0 and not (monitor_evaluation_accuracy or monitor_training_accuracy):
            expected = "monitor_evaluation_accuracy=True beside it"
            raise ValueError(message("early_stopping_n", str(early_stopping_n), expected))
        pairs = training_data if isinstance(training_data, list) else list(training_data)
        n, training = len(pairs), Examples(pairs)
        evaluation = Examples.of(evaluation_data) if evaluation_data else Examples([])

        def update(mini_batch: Any) -> None:
            self.update_mini_batch(mini_batch, eta, lmbda, n)

        evaluation_cost, evaluation_accuracy = [], []
        training_cost, training_accuracy = [], []
        best, since_best = 0, 0
        decay = lmbda / n if n else 0.0
        for j in self._epochs(pairs, training, epochs, mini_batch_size, eta, decay, update):
            print(f"Epoch {j} training complete")
            accuracy = 0
            if monitor_training_cost:
                training_cost.append(self.total_cost(training, lmbda))
                print(f"Cost on training data: {training_cost[-1]}")
            if monitor_training_accuracy:
                accuracy = self.accuracy(training, convert=True)
                training_accuracy.append(accuracy)
                print(f"Accuracy on training data: {accuracy} / {n}")
            if monitor_evaluation_cost:
                evaluation_cost.append(self.total_cost(evaluation, lmbda, convert=True))
                print(f"Cost on evaluation data: {evaluation_cost[-1]}")
            if monitor_evaluation_accuracy:
                accuracy = self.accuracy(evaluation)
                evaluation_accuracy.append(accuracy)
                print(f"Accuracy on evaluation data: {accuracy} / {len(evaluation)}")
            print()
            since_best = 0 if accuracy > best else since_best + 1
            best = max(best, accuracy)
            if 0 < early_stopping_n == since_best:
                break
        return evaluation_cost, evaluation_accuracy, training_cost, training_accuracy

    def update_mini_batch(self, mini_batch: Any, eta: float, lmbda: float, n: int) -> None:
        """Make one step with the mean gradient of a list of (x, y); n examples in all."""
        self._descend(mini_batch, eta, lmbda / n)

    def accuracy(self, data: Any, convert: bool = False) -> int:
        """Return how many examples have their greatest output where y says.

        y is an index, or with convert=True (training data) a column whose greatest entry says it.
        """
        data = Examples.of(data)
        classes = np.argmax(data.targets, axis=1) if convert else data.labels
        return self._count_correct(data, classes)

    def total_cost(self, data: Any, lmbda: float, convert: bool = False) -> Any:
        """Return the mean cost over data plus lambda/(2 n) sum w^2, n the length of data.

        y is a column, or with convert=True (validation and test data) the index of its 1.
        """
        data = Examples.of(data)
        outputs = self._outputs(data)
        targets = data.one_hot(outputs.shape[1]) if convert else data.targets
        if self.cost in (CrossEntropyCost, QuadraticCost):  # sums over all that they are given
            cost = self.cost.fn(outputs, targets)
        else:
            columns = zip(outputs[:, :, None], targets[:, :, None], strict=True)
            cost = sum(self.cost.fn(a, y) for a, y in columns)
        squares = sum(np.linalg.norm(w) ** 2 for w in self.weights)
        return cost / len(data) + 0.5 * (lmbda / len(data)) * squares

    def save(self, filename: str | PathLike[str]) -> None:
        """Write sizes, weights, biases and the cost's name as JSON."""
        data = {
            "sizes": self.sizes,
            "weights": [w.tolist() for w in self.weights],
            "biases": [b.tolist() for b in self.biases],
            "cost": str(self.cost.__name__),
        }
        Path(filename).write_text(json.dumps(data), encoding="utf-8")

    def _output_error(self, z: Array, a: Array, y: Array) -> Array:
        error: Array = self.cost.delta(z, a, y)
        return error

    def _compiled_loss(self) -> str | None:
        if self.cost.delta is CrossEntropyCost.delta:
            return "cross_entropy"
        return "quadratic" if self.cost.delta is QuadraticCost.delta else None


def load(filename: str | PathLike[str]) -> Network:
    """Read a net that `Network.save`, here or in the book's code, has written.

    The cost is looked up by its name in this module, so one of your own must be put here first:
    ``network2.MyCost = MyCost``. As in the book, the new Network draws its initial weights before
    they are replaced.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    saved = read_saved(filename)
    cost = getattr(sys.modules[__name__], saved.cost, None)
    if not hasattr(cost, "delta"):
        raise ValueError(f"{filename}: its cost {saved.cost!r:.40} is not in network2")
    net = Network(saved.sizes, cost=cost)
    net.weights, net.biases = saved.weights, saved.biases
    return net
