"""Training by L-BFGS: SciPy's optimizer on the flat vector of parameters, with our gradient.

scikit-learn orders the vector differently, which moves nothing but the rounding of SciPy's sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
import scipy.optimize
from sklearn.utils.optimize import _check_optimize_result

from fastbp.interrupts import Interrupts
from fastbp.kernels import backward
from fastbp.sklearn.network import dense, kernel_data, Network, NOT_FINITE, row_blocks
from fastbp.sklearn.parameters import Parameters
from fastbp.sklearn.warn import call_as_original
from fastbp.validation import Array, read_only
from fastbp.workspace import Workspace

__all__ = ["Objective", "minimize"]

PRINTS_BY_OPTION = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 15)


class Objective:
    """The cost of all rows, with its penalties, and its gradient."""

    def __init__(
        self, estimator: Any, network: Network, X: Any, y: Array, sample_weight: Array | None
    ) -> None:
        self.network, self.workspace, self.interrupts = network, Workspace(network), Interrupts()
        self.X, self.y, self.weights = X, y, sample_weight
        self.last: Array | None = None  # vector that was asked for
        # scikit-learn sums weights of float32 in float32 for gradient and penalties, but not for
        # the cost.
        total = float(len(y) if sample_weight is None else sample_weight.sum())
        if total == 0:
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        self.blocks = list(row_blocks(X))
        weights = [self.weight_of(rows) for rows in self.blocks]
        exact = sum(weights)
        self.shares = [weight / exact for weight in weights]
        self.gradient_factor = exact / total
        # A dense X is one block, made ready once; blocks of a sparse one are made at each call.
        self.ready = self.data(self.blocks[0]) if len(self.blocks) == 1 else None
        self.l1, self.l2 = float(estimator.l1 / total), float(estimator.alpha / total)
        # scikit-learn averages the squared error over outputs, and not its gradient.
        self.cost_factor = 1 / network.n_outputs if estimator.loss == "squared_error" else 1.0

    def weight_of(self, rows: slice) -> float:
        """Return what some of the rows weigh together."""
        if self.weights is None:
            return float(rows.stop - rows.start)
        return float(self.weights[rows].sum(dtype=np.float64))

    def data(self, rows: slice) -> Any:
        """Return some of the rows as the kernels read them."""
        weights = None if self.weights is None else self.weights[rows]
        X = dense(self.X[rows], self.network.dtype)
        return kernel_data(self.network, X, self.y[rows], weights)

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return cost and gradient (n_parameters,) at a vector in the kernels' order."""
        self.last = vector.copy()
        parameters = read_only(np.require(vector, self.network.dtype, ["C_CONTIGUOUS"]))
        cost = 0.0
        total: Array = np.zeros(len(vector), self.network.dtype)
        for rows, share in zip(self.blocks, self.shares, strict=True):
            gradient = np.empty_like(total)
            data = self.data(rows) if self.ready is None else self.ready

            def call(data: Any = data, gradient: Array = gradient) -> tuple[int, float]:
                answer: tuple[int, float] = self.workspace.run(
                    backward.value_and_grad, parameters, data, 0.0, 0.0, gradient
                )
                return answer

            bad_row, block_cost = self.interrupts.run(6.0 * len(vector) * len(data.X), call)
            if bad_row >= 0:  # which nobody has checked for
                raise ValueError(NOT_FINITE)
            cost += share * block_cost
            total += share * self.gradient_factor * gradient
        penalty = self.workspace.run(backward.add_penalties, parameters, self.l1, self.l2, total)
        return self.cost_factor * cost + penalty, total


def minimize(estimator: Any, objective: Objective, parameters: Parameters) -> None:
    """Train; set n_iter_, loss_ and the parameters, of float64 as SciPy has them."""
    options = {
        "maxfun": estimator.max_fun,
        "maxiter": estimator.max_iter,
        "gtol": estimator.tol,
    }
    if PRINTS_BY_OPTION:
        options["iprint"] = 1 if estimator.verbose else -1
    try:
        with objective.interrupts:
            result = scipy.optimize.minimize(
                objective, parameters.vector, method="L-BFGS-B", jac=True, options=options
            )
    except KeyboardInterrupt:  # scikit-learn's net is then the last one that was tried
        if objective.last is not None:
            estimator._bind(parameters.with_vector(objective.last))
        raise
    estimator.loss_ = np.float64(result.fun)
    estimator._bind(parameters.with_vector(result.x))
    estimator.n_iter_ = call_as_original(
        _check_optimize_result, "lbfgs", result, estimator.max_iter
    )
