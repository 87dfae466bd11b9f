"""The schedule that follows what training measures, not the clock."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastbp.monitor import checked_monitor, improves, worst
from fastbp.schedules import Memory, Schedule
from fastbp.validation import Array, integer, number, set_checked

__all__ = ["ReduceOnPlateau"]


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """eta <- max(factor * eta, minimum) after `patience` epochs in a row without improvement.

    Parameters
    ----------
    learning_rate : float
        eta_0 >= 0.
    monitor : {"val_loss", "loss", "val_accuracy", "accuracy", "val_r2"}
        What must improve: losses fall, accuracies and R^2 rise.
    patience : int
        Epochs to wait, at least 1; the count begins anew after a reduction.
    factor : float
        In (0, 1).
    min_delta : float
        An improvement is larger than this.
    minimum : float
        The least rate, in [0, eta_0].

    Examples
    --------
    >>> from fastbp import ReduceOnPlateau
    >>> schedule = ReduceOnPlateau(0.8, monitor="loss", patience=1, factor=0.5)
    >>> memory = schedule.start()
    >>> for loss in (3.0, 2.0, 2.5):
    ...     memory = schedule.observe(memory, {"loss": loss})
    >>> schedule.rates(epoch=3, steps=1, memory=memory).tolist()
    [0.4]
    """

    learning_rate: float
    monitor: str = "val_loss"
    patience: int = 10
    factor: float = 0.1
    min_delta: float = 0.0
    minimum: float = 0.0

    def __post_init__(self) -> None:
        rate = number("learning_rate", self.learning_rate)
        set_checked(
            self,
            learning_rate=rate,
            monitor=checked_monitor(self.monitor),
            patience=integer("patience", self.patience),
            factor=number("factor", self.factor, 0, 1, above=True, below=True),
            min_delta=number("min_delta", self.min_delta),
            minimum=number("minimum", self.minimum, 0, rate),
        )

    def start(self) -> Memory:
        return worst(self.monitor), 0.0, self.learning_rate

    def observe(self, memory: Memory, logs: Mapping[str, float]) -> Memory:
        best, waited, rate = memory
        if improves(self.monitor, logs[self.monitor], best, self.min_delta):
            return logs[self.monitor], 0.0, rate
        if waited + 1 < self.patience:
            return best, waited + 1, rate
        return best, 0.0, max(self.factor * rate, self.minimum)

    def rate(self, time: Array, memory: Memory) -> Array:
        return np.full(len(time), (memory or self.start())[2])

    @property
    def monitored(self) -> str | None:
        return self.monitor
