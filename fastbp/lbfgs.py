"""L-BFGS: Newton's method with an inverse Hessian that a few changes of the gradient tell of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastbp.full_batch import FullBatch, steepest_descent
from fastbp.line_search import dot, Point
from fastbp.objective import Objective
from fastbp.validation import Array, integer, set_checked

__all__ = ["LBFGS"]

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LBFGS(FullBatch):
    """Limited-memory BFGS: curvature from the last few changes of the gradient.

    p = -H g, where H approximates the inverse Hessian: it starts as a multiple of the identity and
    is corrected by each remembered pair of changes, s of the parameters and y of the gradient, so
    that H y = s for the last one. Liu and Nocedal 1989; Nocedal and Wright 2006, algorithm 7.5,
    with a line search for the strong Wolfe conditions.

    Parameters
    ----------
    tolerance : float
        Training ends early when no derivative is larger.
    memory : int
        How many changes are remembered.

    Examples
    --------
    >>> from fastbp import LBFGS, MLP
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = MLP([2, 4, 1], activation="tanh", output="sigmoid", seed=0)
    >>> history = net.fit(X, y, epochs=100, optimizer=LBFGS())
    >>> net.predict(X).tolist()
    [0, 1, 1, 0]
    """

    memory: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(self, memory=integer("memory", self.memory))

    @property
    def slots(self) -> int:
        """All s, then all y, the oldest first; zeros where there are none yet."""
        return 2 * self.memory

    def direction(self, objective: Objective, point: Point, slots: Array) -> Array:
        """-H g, by the two loops of algorithm 7.4."""
        pairs = [pair for pair in self.pairs(slots) if pair[2] > 0]
        if not pairs:
            return steepest_descent(point)
        q = point.gradient.astype(np.float64)
        alphas = []
        for s, y, curvature in reversed(pairs):
            alpha = dot(s, q) / curvature
            q -= alpha * y
            alphas.append(alpha)
        _, y, curvature = pairs[-1]
        q *= curvature / dot(y, y)  # (7.20), the scale of H
        for (s, y, curvature), alpha in zip(pairs, reversed(alphas), strict=True):
            q += (alpha - dot(y, q) / curvature) * s
        return -q

    def remember(self, before: Point, after: Point, slots: Array) -> None:
        """Keep s and y if the curvature between the points is positive, and so H is."""
        s = after.parameters - before.parameters
        y = after.gradient - before.gradient
        if dot(s, y) > EPSILON * dot(y, y):
            for vectors, new in zip(slots.reshape(2, self.memory, -1), (s, y), strict=True):
                vectors[:-1] = vectors[1:]
                vectors[-1] = new

    def could_remember(self, slots: Array) -> bool:
        """Whether all pairs have positive curvature, those aside which are not there yet."""
        with np.errstate(over="ignore", invalid="ignore"):
            return all(
                0 < curvature < math.inf or not (s.any() or y.any())
                for s, y, curvature in self.pairs(slots)
            )

    def pairs(self, slots: Array) -> Iterator[tuple[Array, Array, float]]:
        """Return s, y and s . y of each pair in float64, the oldest first.

        All products at once: one by one they take a fifth of a tiny net's iteration.
        """
        changes = slots.astype(np.float64, copy=False).reshape(2, self.memory, -1)
        return zip(*changes, np.multiply(*changes).sum(axis=1).tolist(), strict=True)
