"""The callback that ends training in time, and gives back the best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TYPE_CHECKING

from fastbp.data import parameter_vector
from fastbp.monitor import checked_monitor, improves, require_recorded, worst
from fastbp.validation import Array, boolean, integer, message, number

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """End training when a quantity has not improved for `patience` epochs in a row.

    Prechelt 1998, "Early stopping - but when?".

    Parameters
    ----------
    monitor : {"val_loss", "val_accuracy", "val_r2", "loss", "accuracy"}
        Losses improve by falling, accuracies and R^2 by rising.
    patience : int
        At least 1.
    min_delta : float
        An improvement is larger than this; 0 or more.
    restore_best : bool
        Give the net the parameters of its best epoch when training ends, also when it was not
        this callback that ended it.

    Attributes
    ----------
    best : float
        The best value of the last training.
    best_epoch : int
        When it was reached, from 1; 0 before.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import MLP, EarlyStopping
    >>> X = np.random.default_rng(0).standard_normal((60, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> stop = EarlyStopping("val_accuracy", patience=2)
    >>> history = MLP([2, 2], seed=0).fit(
    ...     X[:40], y[:40], epochs=500, callbacks=[stop], validation_data=(X[40:], y[40:])
    ... )
    >>> history.epochs == stop.best_epoch + 2
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.monitor = checked_monitor(monitor)
        self.patience = integer("patience", patience)
        self.min_delta = number("min_delta", min_delta)
        self.restore_best = boolean("restore_best", restore_best)
        self.best = math.nan
        self.best_epoch = 0
        self._epoch = 0  # the last one seen
        self._best_parameters: Array | None = None

    def on_fit_begin(self, net: MLP, names: Iterable[str]) -> None:
        """Forget earlier trainings; refuse to watch what will not be recorded."""
        require_recorded(self.monitor, names)
        self.best = worst(self.monitor)
        self.best_epoch = self._epoch = 0
        self._best_parameters = None

    def on_epoch_end(self, net: MLP, logs: Mapping[str, float]) -> bool:
        """Return whether to stop."""
        self._epoch = int(logs["epoch"])
        if improves(self.monitor, logs[self.monitor], self.best, self.min_delta):
            self.best, self.best_epoch = logs[self.monitor], self._epoch
            if self.restore_best:
                self._best_parameters = net.parameters.copy()
        return self._is_over()

    def _is_over(self) -> bool:
        return self._epoch - self.best_epoch >= self.patience

    def on_fit_end(self, net: MLP) -> None:
        """Restore the best parameters."""
        if self._best_parameters is not None:
            net.parameters = self._best_parameters
            self._best_parameters = None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        state = {
            "monitor": self.monitor,
            "restore_best": self.restore_best,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epoch": self._epoch,
        }
        if self._best_parameters is not None:
            state["best_parameters"] = self._best_parameters
        return state

    def restore(self, net: MLP, state: Mapping[str, Any]) -> bool:
        """Take it back, and return whether training is over; patience may be another."""
        for name in ("monitor", "restore_best"):
            if state[name] != getattr(self, name):
                saved = f"{state[name]!r}, as in the checkpoint"
                raise ValueError(message(name, repr(getattr(self, name)), saved))
        best = state.get("best_parameters")
        if best is not None:
            best = parameter_vector(net.architecture, "best_parameters", best)
        self.best, self._best_parameters = float(state["best"]), best
        self._epoch = integer("epoch", state["epoch"], 0)
        self.best_epoch = integer("best_epoch", state["best_epoch"], 0, self._epoch)
        return self._is_over()

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"min_delta={self.min_delta}, restore_best={self.restore_best})"
        )
