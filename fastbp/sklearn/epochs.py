"""Passes over the rows: order, batches and rates, and the kernels that make the steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse

from fastbp.data import is_mostly_zero, SPARSE_SHARE, SPARSE_STEPS
from fastbp.interrupts import Interrupts
from fastbp.kernels import epoch as epoch_kernel
from fastbp.settings import dropout_rates
from fastbp.sklearn.network import dense, kernel_data, Network, NOT_FINITE, row_blocks
from fastbp.sklearn.optimizer import Optimizer
from fastbp.sklearn.parameters import Parameters
from fastbp.sklearn.warn import warn
from fastbp.stepper import Stepper
from fastbp.threads import checked_threads, choose_threads
from fastbp.validation import Array, read_only

__all__ = ["Epochs"]


class Epochs:
    """Data and net of one fit, ready for the kernels.

    Attributes
    ----------
    rows, steps : int
        Of an epoch.
    order : ndarray of int64, (n,)
        Rows of the data in the order of the last epoch. As in scikit-learn, each epoch permutes
        the order of the one before.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        parameters: Parameters,
        X: Any,
        y: Array,
        weights: Array | None,
        interrupts: Interrupts,
    ) -> None:
        self.estimator, self.network, self.interrupts = estimator, network, interrupts
        self.y, self.weights = y, weights
        if weights is not None:
            with np.errstate(over="ignore"):
                total = weights.sum()
            if not np.isfinite(total):  # every gradient would be 0 then
                raise ValueError("The sum of sample_weight overflows; divide the weights.")
        self.optimizer: Optimizer = estimator._optimizer
        self.rule = self.optimizer.rule(estimator)
        self.dropout = dropout_rates(estimator.dropout, network)
        self.rows = X.shape[0]
        self.batch_size = batch_size(estimator.batch_size, self.rows)
        self.steps = -(-self.rows // self.batch_size)
        is_sparse = scipy.sparse.issparse(X)
        block = next(row_blocks(X))  # all rows, unless they become dense for now
        most = (block.stop - block.start) // self.batch_size if is_sparse else math.inf
        asked = checked_threads(estimator.n_threads, "n_threads")
        self.stepper = Stepper(
            network,
            self.batch_size,
            choose_threads(network, self.batch_size, asked),
            is_free=asked is None,
            clips=self.rule.clip_norm > 0,
            most=most,
        )
        self.changed = parameters.vector, self.optimizer.state
        self.order = np.arange(self.rows, dtype=np.int64)
        self.sparse: Any = None
        if is_sparse:
            self.sparse = X.tocsr()
            few = X.nnz <= (1 - SPARSE_SHARE) * math.prod(X.shape)
            self.is_sparse = few and self.steps >= SPARSE_STEPS
        else:
            self.data = kernel_data(network, dense(X, network.dtype), y, weights)
            self.is_sparse = is_mostly_zero(self.data.X, self.steps)

    @property
    def at_once(self) -> int:
        """Epochs that one call of a kernel can make; 0 where an epoch takes several calls."""
        return 0 if self.sparse is not None else self.stepper.pace.steps // self.steps

    def train(self, count: int) -> Array:
        """Make so many passes, and return their reports, (count, 6)."""
        orders = np.empty((count, self.rows), np.int64)
        for e in range(count):
            self.interrupts.check()
            self.order = orders[e] = self.next_order()
        rates = np.empty((count, self.steps))
        rates[:] = self.optimizer.rates(self.steps)
        reports = np.zeros((count, 6))
        passes, steps_before = self.passes(orders, rates), self.optimizer.t
        for first, last in self.stepper.pace.calls(count * self.steps):
            self.interrupts.check()  # before a call: what is complete is recorded first
            if self.sparse is None:
                self.make_steps(self.data, passes, first, last, reports)
            else:
                self.make_sparse_steps(orders, rates, first, last, reports)
            self.optimizer.t = steps_before + last
        return reports

    def next_order(self) -> Array:
        """Draw the order of the next epoch, with scikit-learn's draws."""
        order = self.order.copy()
        if self.estimator.shuffle:
            self.estimator._random_state.shuffle(order)
        if self.weights is not None and self.weights.min() <= 0:
            sums = np.add.reduceat(self.weights[order], np.arange(0, self.rows, self.batch_size))
            if not sums.all():
                raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        return order

    def make_sparse_steps(
        self, orders: Array, rates: Array, first: int, last: int, reports: Array
    ) -> None:
        """Make steps of one epoch on rows that become dense for now, in the order of their use."""
        rows = orders[0, first * self.batch_size : last * self.batch_size]
        weights = None if self.weights is None else self.weights[rows]
        X = dense(self.sparse[rows], self.network.dtype)
        data = kernel_data(self.network, X, self.y[rows], weights)
        in_order = np.arange(len(rows), dtype=np.int64)
        passes = self.passes(in_order[np.newaxis], rates[:, first:last])
        self.make_steps(data, passes, 0, last - first, reports)

    def passes(self, orders: Array, rates: Array) -> Any:
        """Describe passes, which begin with the next step."""
        return epoch_kernel.Passes(
            read_only(orders),
            self.batch_size,
            read_only(rates),
            self.dropout,
            self.optimizer.t,
            self.optimizer.seed,
            endure=1,
            is_sparse=int(self.is_sparse),
        )

    def make_steps(self, data: Any, passes: Any, first: int, last: int, reports: Array) -> None:
        """Make steps first..last-1 of the passes in one call."""
        status = self.stepper.make(
            first, last, data, passes, self.rule, self.changed, reports, self.interrupts
        )
        if status == epoch_kernel.INPUT_NOT_FINITE:  # which nobody has checked for
            raise ValueError(NOT_FINITE)


def batch_size(wanted: int | str, rows: int) -> int:
    """Return the rows of a batch, at most all."""
    if isinstance(wanted, str):  # "auto"
        return min(200, rows)
    if wanted > rows:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return int(np.clip(wanted, 1, rows))
