"""What a careful user writes in NumPy: whole batches, float32, updates in place."""

import numpy as np

from ..cells import Cell, first_parameters, one_hot
from .peer import Peer

ONE = np.float32(1)


def activated(name, z):
    """sigma(z)."""
    if name == "sigmoid":
        return ONE / (ONE + np.exp(-z))
    if name == "relu":
        return np.maximum(z, 0)
    if name == "tanh":
        return np.tanh(z)
    if name == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return z


def slope(name, a):
    """sigma'(z), from a = sigma(z)."""
    if name == "sigmoid":
        return a * (ONE - a)
    return a > 0 if name == "relu" else ONE - a * a


class NumPy(Peer):
    """Backpropagation for a batch, and the two optimizers that cells have."""

    modules = ("numpy", "threadpoolctl")

    def __init__(self, cell: Cell, X: np.ndarray, y: np.ndarray) -> None:
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)
        self.cell, self.X, self.Y = cell, X, one_hot(y, cell.sizes[-1]).astype(np.float32)
        self.rng = np.random.default_rng(0)
        self.activations = [cell.hidden] * (len(cell.sizes) - 2) + [cell.output]
        self.first = [part for W_b in first_parameters(cell) for part in W_b]  # W^1, b^1, W^2, ...
        self.parameters = [part.copy() for part in self.first]
        self.m = [np.zeros_like(part) for part in self.first]
        self.v = [np.zeros_like(part) for part in self.first]
        self.t = 0

    def restore(self) -> None:
        for part, first in zip(self.parameters, self.first, strict=True):
            part[:] = first

    def warm_up(self) -> None:
        self.step(np.arange(self.cell.batch))

    def epoch(self) -> None:
        order = self.rng.permutation(len(self.X))
        for start in range(0, len(order), self.cell.batch):
            self.step(order[start : start + self.cell.batch])

    def step(self, rows: np.ndarray) -> None:
        """Gradient and update from some rows of the data."""
        _, gradient = self.gradient(self.X[rows], self.Y[rows])
        if self.cell.l2:
            for W, nabla_w in zip(self.parameters[0::2], gradient[0::2], strict=True):
                nabla_w += np.float32(self.cell.l2) * W
        self.update(gradient)

    def activations_of(self, X: np.ndarray) -> list[np.ndarray]:
        """Return [a^0, ..., a^L]."""
        a = [X]
        for l, name in enumerate(self.activations):
            W, b = self.parameters[2 * l : 2 * l + 2]
            a.append(activated(name, a[-1] @ W.T + b))
        return a

    def outputs(self, X: np.ndarray) -> np.ndarray:
        return self.activations_of(X)[-1]

    def gradient(self, X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return a^L, and the mean gradient as a list like the parameters."""
        a = self.activations_of(X)
        delta = (a[-1] - Y) / np.float32(len(X))
        if self.cell.loss == "quadratic" and self.cell.output == "sigmoid":
            delta *= slope("sigmoid", a[-1])
        gradient: list[np.ndarray] = []
        for l in range(len(self.activations) - 1, -1, -1):
            gradient = [delta.T @ a[l], delta.sum(axis=0), *gradient]
            if l:
                delta = (delta @ self.parameters[2 * l]) * slope(self.cell.hidden, a[l])
        return a[-1], gradient

    def update(self, gradient: list[np.ndarray]) -> None:
        """Descend; each formula in as few passes as NumPy can do it."""
        cell, rate = self.cell, np.float32(self.cell.rate)
        if cell.optimizer == "adam":
            self.t += 1
            rate = np.float32(cell.rate / (1 - 0.9**self.t))
            root = np.float32((1 - 0.999**self.t) ** -0.5)
            for w, g, m, v in zip(self.parameters, gradient, self.m, self.v, strict=True):
                m *= np.float32(0.9)
                m += np.float32(0.1) * g
                v *= np.float32(0.999)
                g *= g
                g *= np.float32(0.001)
                v += g
                step = np.sqrt(v)
                step *= root
                step += np.float32(1e-8)
                np.divide(m, step, out=step)
                step *= rate
                w -= step
        elif cell.momentum:
            for w, g, m in zip(self.parameters, gradient, self.m, strict=True):
                m *= np.float32(cell.momentum)
                m += g
                w -= rate * m
        else:
            for w, g in zip(self.parameters, gradient, strict=True):
                g *= rate
                w -= g

    def value_and_grad(self) -> object:
        a, gradient = self.gradient(self.X, self.Y)
        return float(((a - self.Y) ** 2).sum()) / (2 * len(a)), gradient
