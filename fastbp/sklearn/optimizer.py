"""The optimizer of a fit: the kernels' rule, its state, and the learning rate from step to step.

It is kept between calls of partial_fit, and is pickled with its estimator.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastbp.kernels import layout, updates
from fastbp.schedules import Schedule
from fastbp.settings import dropout_rates
from fastbp.sklearn.network import Network
from fastbp.validation import Array

__all__ = ["SOLVERS", "Optimizer"]

SOLVERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad")
SMALLEST_RATE = 1e-6  # at which the rate "adaptive" gives up


class Optimizer:
    """What training remembers from one step to the next.

    Attributes
    ----------
    learning_rate : float
        As in scikit-learn: of sgd that of the next step, of adam that of the last, with its bias
        corrections. Of a schedule, that of the last step.
    t : int
        Steps taken.
    epochs : int
        Passes made.
    state : ndarray, (slots, n_parameters)
        Momentum, or moments.
    seed : int
        Key of the dropout masks.
    """

    def __init__(self, estimator: Any, network: Network) -> None:
        self.solver = estimator.solver
        self.learning_rate = float(estimator.learning_rate_init)
        self.t = 0
        self.epochs = 0
        first = {"sgd": estimator.momentum, "rmsprop": estimator.beta_2, "adagrad": 0.0}
        self.momentum = float(first.get(self.solver, estimator.beta_1))
        self.nesterov = int(estimator.nesterovs_momentum)
        self.beta_1, self.beta_2 = estimator.beta_1, estimator.beta_2
        self.epsilon = float(estimator.epsilon)
        self.weight_decay = float(estimator.weight_decay) if self.solver == "adamw" else 0.0
        slots = updates.state_slots(updates.OPTIMIZERS[self.solver], self.momentum)
        shape = (slots, network.n_parameters) if slots else (1, 0)
        self.state: Array = layout.aligned_zeros(shape, network.dtype)
        # Drawn only where it is used: otherwise every later draw would differ from scikit-learn's.
        drops = np.any(dropout_rates(estimator.dropout, network) > 0)
        self.seed = int(estimator._random_state.randint(2**31 - 1)) if drops else 0
        rate = estimator.learning_rate
        self.schedule: Schedule | None = rate if isinstance(rate, Schedule) else None
        self.memory: tuple[float, ...] = () if self.schedule is None else self.schedule.start()
        is_named = self.solver == "sgd" and self.schedule is None
        self.kind = str(rate) if is_named else "constant"  # or invscaling, or adaptive
        self.power_t = estimator.power_t
        self.learning_rate_init = self.learning_rate

    def rule(self, estimator: Any) -> Any:
        """Return the kernels' description of this and of what acts beside it.

        As in scikit-learn, partial_fit goes on with the solver, momentum, betas and epsilon that it
        began with, while penalties are the estimator's of now.
        """
        return updates.Rule(
            optimizer=updates.OPTIMIZERS[self.solver],
            momentum=self.momentum,
            nesterov=self.nesterov,
            beta2=float(self.beta_2),
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            l1=float(estimator.l1),
            l2=float(estimator.alpha),
            max_norm=float(estimator.max_norm or 0),
            clip_norm=float(estimator.clip_norm or 0),
            epsilon_hat=int(self.solver == "adam"),
            per_row=1,
        )

    def go_on(self, network: Network) -> None:
        """Take over the dtype of a net that may have changed since the last step, or raise."""
        n = self.state.shape[1]
        if n and n != network.n_parameters:
            raise ValueError(
                f"coefs_ and intercepts_ have {network.n_parameters} numbers, but the optimizer of "
                f"partial_fit has a state of {n}; call fit to train a net of another shape."
            )
        if self.state.dtype != network.dtype:
            self.state = layout.aligned_copy(self.state, network.dtype)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Put the unpickled vectors where kernels like them, on a cache line."""
        self.__dict__.update(state)
        self.state = layout.aligned_copy(state["state"])

    def rates(self, steps: int) -> Array:
        """Return the rate of each step of an epoch, before Adam's bias corrections."""
        if self.schedule is not None:
            rates = self.schedule.rates(self.epochs, steps, self.memory)
        elif self.solver == "sgd":
            rates = np.full(steps, self.learning_rate)
        else:
            rates = np.full(steps, self.learning_rate_init)
        return rates

    def epoch_ends(self, steps: int, rows_seen: int, logs: dict[str, float]) -> None:
        """Count an epoch, whose steps are counted, and choose the next rate if time decides."""
        if self.schedule is not None:
            self.learning_rate = float(self.rates(steps)[-1])
            self.memory = self.schedule.observe(self.memory, logs)
        elif self.kind == "invscaling":
            self.learning_rate = self.learning_rate_init / (rows_seen + 1) ** self.power_t
        elif self.solver == "adam":
            correction = math.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
            self.learning_rate = self.learning_rate_init * correction
        self.epochs += 1

    def stops(self, message: str, verbose: bool) -> bool:
        """Return whether to end training that makes no progress, or else lower the rate."""
        if self.kind != "adaptive":
            end, sequel = True, "Stopping."
        elif self.learning_rate <= SMALLEST_RATE:
            end, sequel = True, "Learning rate too small. Stopping."
        else:
            self.learning_rate /= 5.0
            end, sequel = False, f"Setting learning rate to {self.learning_rate:f}"
        if verbose:
            print(message, sequel)
        return end
