"""Training by steps: scikit-learn's loop over epochs, around our kernels.

The draws from random_state, the batches, what is recorded after each epoch and when training ends
are scikit-learn's.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastbp.callbacks import Callbacks
from fastbp.interrupts import Interrupts
from fastbp.kernels import epoch as epoch_kernel
from fastbp.monitor import require_recorded
from fastbp.sklearn.epochs import Epochs
from fastbp.sklearn.network import Network
from fastbp.sklearn.optimizer import Optimizer
from fastbp.sklearn.parameters import Parameters
from fastbp.sklearn.validation_set import ValidationSet
from fastbp.sklearn.warn import warn
from fastbp.validation import all_finite

__all__ = ["Training"]


class Training:
    """One call of fit or partial_fit.

    Attributes
    ----------
    ahead : deque of dict
        What epochs measured that have been trained, but not recorded yet.
    """

    def __init__(
        self,
        estimator: Any,
        network: Network,
        parameters: Parameters,
        epochs: Epochs,
        validation: ValidationSet | None,
        interrupts: Interrupts,
    ) -> None:
        self.estimator, self.network, self.parameters = estimator, network, parameters
        self.interrupts = interrupts
        self.epochs, self.validation = epochs, validation
        self.optimizer: Optimizer = estimator._optimizer
        self.callbacks = Callbacks(list(estimator.callbacks or ()))
        self.callbacks.refuse_checkpoints("an estimator, which cannot be resumed")
        schedule = self.optimizer.schedule
        if schedule is not None and schedule.monitored is not None:
            require_recorded(schedule.monitored, self.recorded())
        self.ahead: deque[dict[str, float]] = deque()
        # Whether somebody looks at each epoch, or has it depend on the one before.
        self.is_watched = bool(
            validation is not None
            or estimator.callbacks
            or estimator.verbose
            or estimator.max_seconds is not None
            or self.optimizer.schedule is not None
            or self.optimizer.kind == "invscaling"
        )

    def run(self, most_epochs: int, incremental: bool) -> None:
        """Train until the epochs are over, or no progress is made, or somebody says so.

        KeyboardInterrupt comes at Ctrl-C. What is recorded is then that of the complete epochs, and
        the parameters may be some steps further.
        """
        estimator = self.estimator
        self.start = time.perf_counter()
        estimator.n_iter_ = 0
        for epoch in range(most_epochs):
            if not self.ahead:
                self.interrupts.check()
                self.train(most_epochs - epoch)
            logs = self.ahead.popleft()
            self.record(logs)
            stuck = self.count_epochs_without_progress()
            self.optimizer.epoch_ends(self.epochs.steps, estimator.t_, logs)
            if stuck and self.optimizer.stops(self.why(), bool(estimator.verbose)):
                break
            if stuck:
                estimator._no_improvement_count = 0
            if self.is_told_to_stop(logs) or incremental or self.is_lost():
                break
            if estimator.n_iter_ == estimator.max_iter:
                warn(
                    f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                    "reached and the optimization hasn't converged yet.",
                    ConvergenceWarning,
                )
        self.interrupts.check()

    def train(self, most: int) -> None:
        """Train the next epoch or, where that changes nothing, the next few.

        Lack of progress cannot end training before the patience that is left is used up.
        """
        estimator = self.estimator
        patience = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
        count = 1 if self.is_watched else max(1, min(most, patience, self.epochs.at_once))
        start = time.perf_counter()
        reports = self.epochs.train(int(count))
        seconds = (time.perf_counter() - start) / count
        # scikit-learn averages the squared error over outputs here, but not its gradient.
        outputs = self.network.n_outputs if estimator.loss == "squared_error" else 1
        costs = reports[:, epoch_kernel.MEAN_COST] / outputs + reports[:, epoch_kernel.PENALTY]
        for loss in costs / self.epochs.rows:
            self.ahead.append({"loss": loss, "seconds": seconds})

    def record(self, logs: dict[str, float]) -> None:
        """Keep what an epoch measured, and score the validation rows."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = logs["loss"]
        estimator.t_ += self.epochs.rows
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self.validation is not None:
            logs |= self.validation.score_epoch(
                estimator, self.network, self.parameters, self.interrupts
            )

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
        what = "Training loss"
        if estimator.early_stopping:
            what = f"Validation {estimator.stopping_monitor}"
        patience = estimator.n_iter_no_change
        return (
            f"{what} did not improve more than tol={estimator.tol:f} for {patience} "
            "consecutive epochs."
        )

    def is_told_to_stop(self, logs: dict[str, float]) -> bool:
        """Whether a callback says so, or time is over."""
        estimator = self.estimator
        stop = False
        if estimator.callbacks:
            numbers = {"epoch": estimator.n_iter_, "learning_rate": self.optimizer.learning_rate}
            with self.interrupts.at_once():
                stop = self.callbacks.epoch_end(estimator, {**logs, **numbers})
        limit = estimator.max_seconds
        return stop or (limit is not None and time.perf_counter() - self.start >= limit)

    def is_lost(self) -> bool:
        """Whether parameters are NaN, which they stay, and nothing better is kept."""
        if math.isfinite(self.estimator.loss_) or self.estimator.early_stopping:
            return False
        return not all_finite(self.parameters.vector)

    def recorded(self) -> list[str]:
        """Return the names of the losses and scores that callbacks will see."""
        names = [] if self.validation is None else ["val_loss", self.validation.score_name]
        return ["loss", *names]
