"""Newton's method, with conjugate gradients in the place of the inverse Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fastbp.full_batch import FullBatch, steepest_descent
from fastbp.line_search import dot, Point
from fastbp.objective import Objective
from fastbp.validation import Array

__all__ = ["NewtonCG"]

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class NewtonCG(FullBatch):
    """Newton's method; H p = -gradient is solved by conjugate gradients, from products H v.

    Nocedal and Wright 2006, algorithm 7.1; the Hessian technique of the book, chapter 3, with the
    exact products of `MLP.hessian_vector_product` and no Hessian.

    Parameters
    ----------
    tolerance : float
        Training ends early when no derivative is larger.

    Examples
    --------
    >>> from fastbp import MLP, NewtonCG
    >>> net = MLP([1, 1], output="linear", loss="quadratic", dtype="float64", seed=0)
    >>> history = net.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], optimizer=NewtonCG())
    >>> net.forward([[10.0]]).round(2)
    array([[21.]])
    """

    def direction(self, objective: Objective, point: Point, slots: Array) -> Array:
        """Solve H p = -g as well as is worth it here, and only where the cost curves upwards."""
        r = point.gradient.astype(np.float64)  # H p + g
        p = np.zeros_like(r)
        d = -r
        # The further from the minimum, the less exactly. Sums of sizes, as SciPy's Newton-CG has
        # them, need a quarter less products than lengths do, on the digits.
        size = float(np.abs(r).sum())
        enough = min(0.5, math.sqrt(size)) * size
        square = dot(r, r)
        for j in range(len(r)):  # without rounding, so many are enough
            if np.abs(r).sum() <= enough:
                break
            product = objective.curvature(point, d)
            curvature = dot(d, product)
            if curvature <= EPSILON * dot(d, d):
                return p if j else steepest_descent(point)
            alpha = square / curvature
            p += alpha * d
            r += alpha * product
            before, square = square, dot(r, r)
            d = square / before * d - r
        return p
