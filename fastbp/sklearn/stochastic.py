"""Training by stochastic gradient descent: scikit-learn's loop over epochs around our kernel.

The draws from random_state, the batches, what is recorded after each epoch and when training ends
are scikit-learn's; one call of the kernel epoch.train makes all steps of some 50 ms.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from fastbp.callbacks import Callbacks
from fastbp.kernels import epoch as epoch_kernel
from fastbp.kernels import layout
from fastbp.settings import dropout_rates
from fastbp.sklearn.network import dense, kernel_data, Network, row_blocks
from fastbp.sklearn.optimizer import Optimizer, rule_of
from fastbp.sklearn.parameters import Parameters
from fastbp.sklearn.validation_set import ValidationSet
from fastbp.threads import checked_threads, run_on_threads
from fastbp.training import FLOPS_PER_CALL
from fastbp.validation import all_finite, Array, read_only
from fastbp.workspace import Workspace

__all__ = ["Training"]


class Training:
    """One call of fit or partial_fit.

    Attributes
    ----------
    order : ndarray of int64, (n,)
        Rows of the data in the order of the present epoch. As in scikit-learn, each epoch permutes
        that of the one before.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        parameters: Parameters,
        X: Any,
        y: Array,
        sample_weight: Array | None,
        validation: ValidationSet | None,
    ) -> None:
        self.estimator, self.network, self.parameters = estimator, network, parameters
        self.validation = validation
        self.optimizer: Optimizer = estimator._optimizer
        self.rule = rule_of(estimator)
        self.dropout = dropout_rates(estimator.dropout, network)
        self.callbacks = Callbacks(list(estimator.callbacks or ()))
        self.rows = X.shape[0]
        self.batch_size = batch_size(estimator.batch_size, self.rows)
        self.steps = -(-self.rows // self.batch_size)
        step_flops = 6.0 * network.n_parameters * self.batch_size
        self.threads = checked_threads(estimator.n_threads, step_flops)
        self.workspace = Workspace(network, self.batch_size, self.threads)
        clipped = network.n_parameters if self.rule.clip_norm else 0
        self.model = epoch_kernel.Model(
            parameters.vector,
            self.optimizer.state,
            layout.aligned_zeros(clipped, network.dtype),
            self.workspace.arena,
        )
        self.barrier = np.zeros(16, np.int64)
        self.report = np.zeros(6)
        self.order = np.arange(self.rows, dtype=np.int64)
        self.natural = read_only(np.arange(self.rows, dtype=np.int64))
        self.steps_per_call = max(1, int(FLOPS_PER_CALL // step_flops))
        self.weights = sample_weight
        self.sparse = X.tocsr() if scipy.sparse.issparse(X) else None
        if self.sparse is None:
            self.data = kernel_data(network, dense(X, network.dtype), y, sample_weight)
        else:
            self.y = y
            self.steps_per_call = steps_of_a_block(X, self.batch_size)

    def run(self, epochs: int, incremental: bool) -> None:
        """Train until the epochs are over, or no progress is made, or somebody says so."""
        estimator = self.estimator
        start = time.perf_counter()
        self.callbacks.begin(estimator, self.recorded())
        estimator.n_iter_ = 0
        for _ in range(epochs):
            logs = self.train_epoch()
            estimator.n_iter_ += 1
            estimator.loss_ = logs["loss"]
            estimator.t_ += self.rows
            estimator.loss_curve_.append(estimator.loss_)
            if estimator.verbose:
                print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
            if self.validation is not None:
                logs |= self.validation.score_epoch(estimator, self.network, self.parameters)
            stuck = self.count_epochs_without_progress()
            self.optimizer.epoch_ends(self.last_rates, estimator.t_, logs)
            if stuck and self.optimizer.stops(self.why(), bool(estimator.verbose)):
                break
            if stuck:
                estimator._no_improvement_count = 0
            if self.is_told_to_stop(logs, start) or incremental:
                break
            # What has become NaN stays NaN; where nothing better is kept, _fit will refuse it.
            if not (np.isfinite(estimator.loss_) or estimator.early_stopping or self.is_finite()):
                break
            if estimator.n_iter_ == estimator.max_iter:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=6,
                )
        self.callbacks.end(estimator)

    def train_epoch(self) -> dict[str, float]:
        """Make one pass over the rows, and return what it measured."""
        estimator, start = self.estimator, time.perf_counter()
        if estimator.shuffle:
            permutation = np.arange(self.rows, dtype=np.int64)
            estimator._random_state.shuffle(permutation)
            self.order = self.order[permutation]
        self.refuse_empty_batches()
        self.report[:] = 0
        self.last_rates = self.optimizer.rates(self.steps)
        for first in range(0, self.steps, self.steps_per_call):
            self.make_steps(first, min(first + self.steps_per_call, self.steps))
        cost, penalty = self.report[[epoch_kernel.MEAN_COST, epoch_kernel.PENALTY]] / self.rows
        # scikit-learn averages the squared error over outputs here, and nowhere else.
        loss = cost / self.network.n_outputs if estimator.loss == "squared_error" else cost
        return {
            "loss": loss + penalty,
            "learning_rate": float(self.last_rates[0]),
            "seconds": time.perf_counter() - start,
        }

    def make_steps(self, first: int, last: int) -> None:
        """Make steps first..last-1 of an epoch."""
        if self.sparse is None:
            self.call_kernel(self.data, self.order, self.last_rates, 0, first, last)
            return
        # These rows become dense for now, in the order in which they are needed.
        rows = self.order[first * self.batch_size : last * self.batch_size]
        weights = None if self.weights is None else self.weights[rows]
        X = dense(self.sparse[rows], self.network.dtype)
        data = kernel_data(self.network, X, self.y[rows], weights)
        order = self.natural[: len(rows)]
        self.call_kernel(data, order, self.last_rates[first:last], first, 0, last - first)

    def call_kernel(
        self, data: Any, order: Array, rates: Array, before: int, first: int, last: int
    ) -> None:
        """Make steps first..last-1 over rows of `data`, `before` steps into the epoch."""
        rows_pass = epoch_kernel.Pass(
            read_only(order),
            self.batch_size,
            rates,
            self.dropout,
            self.optimizer.t + before,
            self.optimizer.seed,
            endure=1,
        )
        self.barrier[:] = 0

        def call(thread: int) -> int:
            team = epoch_kernel.Team(self.barrier, thread, self.threads)
            return int(
                epoch_kernel.train(
                    self.workspace.plan,
                    self.model,
                    data,
                    rows_pass,
                    self.rule,
                    first,
                    last,
                    self.report,
                    team,
                )
            )

        run_on_threads(call, self.threads)

    def count_epochs_without_progress(self) -> bool:
        """Compare this epoch with the best so far; return whether too many have been in vain."""
        estimator = self.estimator
        if estimator.early_stopping and self.validation is not None:
            improves = self.validation.is_progress(estimator, self.parameters)
        else:
            # Written so that NaN counts as progress, as it does in scikit-learn.
            improves = not estimator.loss_ > estimator.best_loss_ - estimator.tol
            if estimator.loss_ < estimator.best_loss_:
                estimator.best_loss_ = estimator.loss_
        estimator._no_improvement_count = 0 if improves else estimator._no_improvement_count + 1
        return bool(estimator._no_improvement_count > estimator.n_iter_no_change)

    def why(self) -> str:
        """Return what to print when training ends for lack of progress."""
        estimator = self.estimator
        what = "Training loss did not improve"
        if estimator.early_stopping and self.validation is not None:
            what = f"Validation {estimator.stopping_monitor} did not improve"
        patience = estimator.n_iter_no_change
        return f"{what} more than tol={estimator.tol:f} for {patience} consecutive epochs."

    def is_told_to_stop(self, logs: dict[str, float], start: float) -> bool:
        """Whether a callback says so, or time is over."""
        stop = self.callbacks.epoch_end(
            self.estimator, {**logs, "epoch": float(self.optimizer.epochs)}
        )
        limit = self.estimator.max_seconds
        return stop or (limit is not None and time.perf_counter() - start >= limit)

    def recorded(self) -> list[str]:
        """Return the names of the losses and scores that callbacks will see."""
        names = [] if self.validation is None else ["val_loss", self.validation.score_name]
        return ["loss", *names]

    def refuse_empty_batches(self) -> None:
        """Raise as scikit-learn does where the weights of a batch sum to zero."""
        if self.weights is None or self.weights.min() > 0:
            return
        starts = np.arange(0, self.rows, self.batch_size)
        if not np.add.reduceat(self.weights[self.order], starts).all():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")

    def is_finite(self) -> bool:
        """Whether no parameter has become NaN or infinite."""
        return all_finite(self.parameters.vector)


def batch_size(wanted: int | str, rows: int) -> int:
    """Return the rows of a batch, at most all."""
    if isinstance(wanted, str):  # "auto"
        return min(200, rows)
    if wanted > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=7,
        )
    return int(np.clip(wanted, 1, rows))


def steps_of_a_block(X: Any, size: int) -> int:
    """Return how many steps' rows of a sparse X may be dense at a time."""
    block = next(row_blocks(X))
    return max(1, (block.stop - block.start) // size)
