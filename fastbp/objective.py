"""The cost of all rows as a function of the parameters, for optimizers that look at all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn, TYPE_CHECKING

import numpy as np

from fastbp.errors import DivergenceError
from fastbp.evaluation import ClassifierScores, counts_hits, evaluate, RegressionScores
from fastbp.history import History
from fastbp.interrupts import Interrupts
from fastbp.kernels import backward, hessian
from fastbp.line_search import Point
from fastbp.validation import all_finite, Array, read_only
from fastbp.workspace import RWorkspace, Workspace

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["Objective"]


class Objective:
    """Cost, gradient and curvature; a call leaves the net at the vector that it asks about.

    What is not finite raises DivergenceError, with the epochs that `history` has by then.
    """

    def __init__(
        self,
        net: MLP,
        data: Any,
        validation: Any,
        l2: float,
        interrupts: Interrupts,
        history: History,
    ) -> None:
        self.net, self.data, self.validation, self.l2 = net, data, validation, l2
        self.interrupts, self.history = interrupts, history
        self.r_workspace = RWorkspace(net.architecture)

    def evaluate(self, vector: Array) -> Point:
        """Return what is known at a vector, once it is rounded to the net's dtype."""
        net = self.net
        net.parameters[:] = vector
        gradient: Array = np.empty(net.n_parameters, net.dtype)
        _, cost = self.run(
            net._workspace, backward.value_and_grad, self.data, 0.0, self.l2, gradient
        )
        if not (math.isfinite(cost) and all_finite(gradient)):
            self.diverge("the loss")
        return Point(net.parameters.copy(), float(cost), gradient)

    def curvature(self, point: Point, direction: Array) -> Array:
        """Return H times a direction, in float64."""
        net = self.net
        net.parameters[:] = point.parameters
        v, product = direction.astype(net.dtype), np.empty_like(point.gradient)
        self.run(
            self.r_workspace,
            hessian.hessian_vector_product,
            read_only(v),
            self.data,
            self.l2,
            product,
        )
        if not all_finite(product):
            self.diverge("the curvature of the loss")
        return product.astype(np.float64)

    def run(self, workspace: Workspace, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Call a kernel that takes all rows."""
        net = self.net

        def call() -> Any:
            return workspace.run(kernel, net._frozen, *arguments)

        return self.interrupts.run(6.0 * net.n_parameters * len(self.data.X), call)

    def diverge(self, what: str) -> NoReturn:
        """Raise."""
        raise DivergenceError(what, self.history.epochs + 1, 1, None, self.history)

    def scores(self) -> dict[str, float]:
        """Losses and scores at the net's parameters."""
        net = self.net
        logs: dict[str, float] = {}
        for prefix, data in (("", self.data), ("val_", self.validation)):
            if data is not None:

                def score(data: Any = data) -> ClassifierScores | RegressionScores:
                    return evaluate(net.architecture, net._workspace, net._frozen, data)

                work = 2.0 * net.n_parameters * len(data.X)
                scores = self.interrupts.run(work, score)._asdict()
                if not prefix and not counts_hits(net.architecture, data):
                    del scores["r2"]
                logs |= {prefix + name: value for name, value in scores.items()}
        return logs
