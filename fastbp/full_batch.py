"""Optimizers that take all rows at once: what L-BFGS and Newton-CG share.

For small sets of data, and for costs that mini-batches do not bring to the bottom. An epoch is an
iteration: a direction p, and a step along it that meets the Wolfe conditions (line_search.py). All
sums over parameters are those of `dot`, so that the bits do not depend on BLAS and its threads.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from fastbp.line_search import dot, line_search, Point
from fastbp.objective import Objective
from fastbp.validation import Array, number, set_checked

__all__ = ["FullBatch", "steepest_descent"]


@dataclass(frozen=True)
class FullBatch(ABC):
    """An iteration, and when to stop: when no derivative is larger than `tolerance`.

    As all optimizers they never change. What they remember from iteration to iteration is in
    `slots`, an array of as many vectors as the property of that name says, zeros at first.
    """

    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        set_checked(self, tolerance=number("tolerance", self.tolerance))

    @property
    def slots(self) -> int:
        """How many vectors as long as the parameters are remembered."""
        return 0

    @abstractmethod
    def direction(self, objective: Objective, point: Point, slots: Array) -> Array:
        """Return where to search, (n_parameters,) of float64."""

    def remember(self, before: Point, after: Point, slots: Array) -> None:
        """Keep in the slots what later iterations need to know of this one; here nothing."""
        return None

    def could_remember(self, slots: Array) -> bool:
        """Whether these may be slots of such an optimizer."""
        return True

    def is_over(self, point: Point) -> bool:
        """Whether this is as good as a minimum."""
        return float(np.abs(point.gradient).max()) <= self.tolerance

    def iterate(self, objective: Objective, point: Point, slots: Array) -> Point | None:
        """Return the next point; None where rounding lets no step go down.

        Near a minimum the cost's last digits may hide that a direction goes down. Then all that is
        remembered is forgotten, and the steepest one is tried.
        """
        after = line_search(objective.evaluate, point, self.direction(objective, point, slots))
        if after is None:
            slots[:] = 0
            after = line_search(objective.evaluate, point, steepest_descent(point))
        if after is not None:
            self.remember(point, after, slots)
        return after


def steepest_descent(point: Point) -> Array:
    """Return minus the gradient; a longer one is shortened to length 1, which a step can undo."""
    gradient = point.gradient.astype(np.float64)
    return -gradient / max(1.0, math.sqrt(dot(gradient, gradient)))
