"""Minimizers of the whole cost at once: L-BFGS and Newton-CG of SciPy, on the flat vector.

Small sets of data, and costs that mini-batches do not bring to the bottom. An epoch is an iteration
of the minimizer, each of which looks at all rows several times. They need SciPy:
``pip install "fastbp[scipy]"``.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, TYPE_CHECKING

import numpy as np

from fastbp.callbacks import Callbacks
from fastbp.data import dataset, refuse_not_finite, refuse_not_finite_parameters
from fastbp.errors import DivergenceError
from fastbp.evaluation import ClassifierScores, counts_hits, evaluate, RegressionScores
from fastbp.history import History
from fastbp.interrupts import Interrupts
from fastbp.kernels import backward, checks, hessian, layout
from fastbp.progress import checked_progress, Progress
from fastbp.schedules import set_checked
from fastbp.training import recorded, validation_dataset
from fastbp.validation import all_finite, Array, integer, message, number, read_only

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["LBFGS", "FullBatch", "NewtonCG", "minimize"]


@dataclass(frozen=True)
class FullBatch(ABC):
    """What the minimizers share: they stop when no derivative is larger than `tolerance`."""

    method: ClassVar[str]

    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        set_checked(self, tolerance=number("tolerance", self.tolerance))

    @abstractmethod
    def options(self) -> dict[str, float]:
        """Return SciPy's options, apart from the number of iterations."""


@dataclass(frozen=True)
class LBFGS(FullBatch):
    """Limited-memory BFGS: curvature from the last few changes of the gradient.

    Liu and Nocedal 1989; Nocedal and Wright 2006, algorithm 7.5.

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

    method = "L-BFGS-B"  # without its bounds

    memory: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        set_checked(self, memory=integer("memory", self.memory))

    def options(self) -> dict[str, float]:  # noqa: D102
        return {"gtol": self.tolerance, "ftol": 0.0, "maxcor": self.memory, "maxfun": math.inf}


@dataclass(frozen=True)
class NewtonCG(FullBatch):
    """Newton's method; H d = -gradient is solved by conjugate gradients, from products H v.

    Nocedal and Wright 2006, section 7.1; the Hessian technique of the book, chapter 3, with the
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

    method = "Newton-CG"

    def options(self) -> dict[str, float]:  # noqa: D102
        # As good as 0, which SciPy before 1.14 trips over: `Minimization.after` looks at the
        # derivatives instead.
        return {"xtol": sys.float_info.min}


class Minimization:
    """One call of fit with such an optimizer; all arguments have been checked."""

    def __init__(
        self, net: MLP, data: Any, validation: Any, l2: float, interrupts: Interrupts
    ) -> None:
        self.net, self.data, self.validation, self.l2 = net, data, validation, l2
        self.interrupts = interrupts
        self.best = net.parameters.copy()  # after the last iteration
        self.gradient: Array = np.empty(net.n_parameters, net.dtype)
        self.seen = np.full(net.n_parameters, np.nan)  # the vector that gradient belongs to
        self.r_arena = layout.aligned_zeros(net._workspace.plan.size, net.dtype)
        self.history = History()

    def cost(self, vector: Array) -> tuple[float, Array]:
        """Cost and gradient at a vector, for SciPy in float64."""
        net = self.net
        net.parameters[:] = vector
        _, cost = self.run(backward.value_and_grad, self.data, 0.0, self.l2, self.gradient)
        if not (math.isfinite(cost) and all_finite(self.gradient)):
            self.diverge("the loss")
        self.seen[:] = vector
        return float(cost), self.gradient.astype(np.float64)

    def run(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """Call a kernel that takes all rows."""
        net = self.net

        def call() -> Any:
            return net._workspace.run(kernel, net._frozen, *arguments)

        return self.interrupts.run(6.0 * net.n_parameters * len(self.data.X), call)

    def steepest(self, vector: Array) -> float:
        """The largest derivative at a vector, most often that of the last gradient."""
        if not np.array_equal(vector, self.seen):
            self.cost(vector)
        return float(np.abs(self.gradient).max())

    def curvature(self, vector: Array, direction: Array) -> Array:
        """H times a direction, at a vector."""
        net = self.net
        net.parameters[:] = vector
        v, product = direction.astype(net.dtype), np.empty_like(self.gradient)
        self.run(
            hessian.hessian_vector_product, read_only(v), self.r_arena, self.data, self.l2, product
        )
        if not all_finite(product):
            self.diverge("the curvature of the loss")
        return product.astype(np.float64)

    def diverge(self, what: str) -> NoReturn:
        """Raise; `minimize` then goes back to the last iteration's vector."""
        refuse_not_finite_parameters(self.best)
        raise DivergenceError(what, self.history.epochs + 1, 1, 1.0, self.history)

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


def minimize(
    net: MLP,
    X: object,
    y: object,
    *,
    epochs: int,
    optimizer: FullBatch,
    l2: object,
    validation_data: object,
    sample_weight: object,
    class_weight: object,
    callbacks: object,
    progress: object,
    unused: Mapping[str, object],
) -> History:
    """Do what MLP.fit says with a full-batch optimizer.

    `unused` are fit's other arguments: those which mean nothing to a minimizer of a smooth cost
    that does not change from step to step must be off.
    """
    for name, value in unused.items():
        if not (value is None or (isinstance(value, (int, float)) and value == 0)):
            got = f"{value!r} with {type(optimizer).__name__}"
            raise ValueError(message(name, got, "it to be off", "use SGD or Adam"))
    scipy_minimize = load_scipy()
    with net._guard:
        architecture = net.architecture
        data = dataset(architecture, X, y, sample_weight, class_weight)
        if checks.first_bad_row(data.X) >= 0:
            refuse_not_finite(data.X)
        validation = validation_dataset(architecture, validation_data)
        called, shown = Callbacks(callbacks), checked_progress(progress)
        called.refuse_checkpoints(f"a fit with {type(optimizer).__name__}, whose state SciPy keeps")
        interrupts = Interrupts()
        task = Minimization(net, data, validation, number("l2", l2), interrupts)
        called.begin(net, recorded(architecture, data, validation))
        bar = Progress(shown, epochs, len(data.X))
        net._memory = None  # of a training with another optimizer
        start = time.perf_counter()

        def after(vector: Array) -> None:
            """Record an iteration; StopIteration ends the minimization."""
            nonlocal start
            seconds = time.perf_counter() - start
            net.parameters[:] = vector
            task.best[:] = vector
            steepest = task.steepest(vector)
            logs = task.scores()
            logs |= {"seconds": seconds, "examples_per_second": len(data.X) / seconds}
            task.history.append(logs)
            bar.begin(task.history.epochs)
            bar.advance(len(data.X))
            bar.show(logs)
            try:
                with interrupts.at_once():
                    stops = called.epoch_end(net, logs | {"epoch": task.history.epochs})
            finally:
                task.best[:] = net.parameters  # which a callback may have set
            if stops or steepest <= optimizer.tolerance:
                raise StopIteration
            start = time.perf_counter()

        interrupted = False
        with interrupts:
            try:
                scipy_minimize(
                    task.cost,
                    net.parameters.astype(np.float64),
                    jac=True,
                    hessp=task.curvature if isinstance(optimizer, NewtonCG) else None,
                    method=optimizer.method,
                    callback=after,
                    options={"maxiter": epochs, **optimizer.options()},
                )
            except KeyboardInterrupt:
                interrupted = True
            finally:
                # A line search may have ended elsewhere than at the last iteration's vector.
                net.parameters[:] = task.best
                bar.close()
            with interrupts.at_once():
                called.end(net)
        if interrupted:
            warnings.warn(
                f"training was interrupted in iteration {task.history.epochs + 1}; the net is as "
                f"after the one before",
                stacklevel=3,
            )
        return task.history


def load_scipy() -> Any:
    """Return scipy.optimize.minimize."""
    try:
        from scipy.optimize import minimize as scipy_minimize
    except ImportError as error:
        advice = 'LBFGS and NewtonCG need SciPy: pip install "fastbp[scipy]"'
        raise ImportError(advice) from error
    return scipy_minimize
