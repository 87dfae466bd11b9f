"""What runs between epochs.

A callback is any function of (net, logs), called after every epoch with the net and a dict of that
epoch's numbers: epoch (from 1) and the names of History. Returning True ends training after this
epoch; any other answer is ignored. An object with a method on_epoch_end(net, logs) does as well,
and may have on_fit_begin(net, names), with the names that logs will hold, and on_fit_end(net),
which is called when training ends by itself, by a callback, or by Ctrl-C. A callback may read the
net and set its parameters, but not train it. What it raises comes out of `fit` with the net as the
callback left it, after no other call of a callback: on_fit_end is not called then.

What a callback remembers from epoch to epoch is part of a checkpoint if it has two more methods:
state() returns a dict of arrays and of what JSON can hold, and restore(net, state) takes it back,
after on_fit_begin. It raises where the state is not its own, and returns True where on_epoch_end
had said so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastbp.checkpoint import Checkpoint
from fastbp.monitor import checked_monitor, improves, require_recorded, worst
from fastbp.serialization import SAFETENSORS_NAMES
from fastbp.validation import Array, boolean, integer, message, number, shown

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["Callbacks", "EarlyStopping", "LayerErrors"]


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
            best = net._checked_vector("best_parameters", best)
        self.best, self._best_parameters = float(state["best"]), best
        self._epoch = integer("epoch", state["epoch"], 0)
        self.best_epoch = integer("best_epoch", state["best_epoch"], 0, self._epoch)
        return self._is_over()

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, "
            f"min_delta={self.min_delta}, restore_best={self.restore_best})"
        )


class LayerErrors:
    """Record how fast each layer learns: the length of its mean error, after every epoch.

    The mean of delta^l over the rows is the gradient of b^l (BP3), and its length the book's
    measure of a layer's speed of learning (chapter 5).

    Parameters
    ----------
    X, y : array-like
        As in `MLP.layer_errors`: the rows to measure on.

    Attributes
    ----------
    lengths : list of list of float
        Of the last training: one list an epoch, one number a layer, from delta^1 to delta^L.

    Examples
    --------
    >>> from fastbp import LayerErrors, MLP
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> errors = LayerErrors(X, y)
    >>> history = MLP([2, 3, 3, 1], output="sigmoid", seed=0).fit(X, y, callbacks=[errors])
    >>> len(errors.lengths), len(errors.lengths[0])
    (10, 3)
    """

    def __init__(self, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.X, self.y = X, y
        self.lengths: list[list[float]] = []

    def measure(self, net: MLP) -> list[float]:
        """Return the numbers of a net as it is."""
        deltas = net.layer_errors(self.X, self.y)
        return [float(np.linalg.norm(delta.mean(axis=0))) for delta in deltas]

    def on_fit_begin(self, net: MLP, names: Iterable[str]) -> None:
        """Forget earlier trainings."""
        self.lengths = []

    def on_epoch_end(self, net: MLP, logs: Mapping[str, float]) -> None:
        """Measure."""
        self.lengths.append(self.measure(net))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"lengths": np.array(self.lengths)}

    def restore(self, net: MLP, state: Mapping[str, Any]) -> None:
        """Take it back."""
        lengths = state["lengths"]
        if lengths.dtype != np.float64 or lengths.shape[1:] != (len(net.sizes) - 1,):
            raise ValueError(f"lengths of shape {lengths.shape}")
        self.lengths = lengths.tolist()


class Callbacks:
    """The callbacks of one training, called in the order they came in.

    Attributes
    ----------
    checkpoints : tuple of Checkpoint
        They are not called: training has them written when all others have seen the epoch.
    """

    def __init__(self, callbacks: object) -> None:
        expected = "a sequence of callbacks, each a function of (net, logs) or with on_epoch_end"
        if not isinstance(callbacks, (list, tuple)):
            raise TypeError(message("callbacks", shown(callbacks), expected, "put it in a list"))
        for i, callback in enumerate(callbacks):
            if isinstance(callback, type):
                got, advice = f"the class {callback.__name__}", f"{callback.__name__}()"
                raise TypeError(message(f"callbacks[{i}]", got, "an instance", f"write {advice}"))
            kinds = callable(callback), hasattr(callback, "on_epoch_end")
            if not (any(kinds) or isinstance(callback, Checkpoint)):
                raise TypeError(message(f"callbacks[{i}]", shown(callback), expected))
        self.checkpoints = tuple(c for c in callbacks if isinstance(c, Checkpoint))
        self._callbacks: tuple[Any, ...] = tuple(
            c for c in callbacks if not isinstance(c, Checkpoint)
        )

    def __bool__(self) -> bool:
        """Whether any is to be called."""
        return bool(self._callbacks)

    def refuse_checkpoints(self, where: str) -> None:
        """Raise if there is a Checkpoint where there is nothing to resume."""
        if self.checkpoints:
            advice = "a function that calls net.save keeps the parameters"
            raise ValueError(message("callbacks", f"a Checkpoint in {where}", "none", advice))

    def states(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what a checkpoint keeps of them: type and state of those which have one."""
        return [(type(callback).__name__, checked_state(callback)) for callback in self._stateful]

    def check_kinds(self, states: Sequence[tuple[str, Any]]) -> None:
        """Raise unless those which have a state are of the same types as in a checkpoint."""
        saved = [kind for kind, _ in states]
        ours = [type(callback).__name__ for callback in self._stateful]
        if saved != ours:
            got, expected = (", ".join(kinds) or "none" for kinds in (ours, saved))
            expected += ", as in the checkpoint"
            raise ValueError(message("callbacks", f"{got} with a state", expected))

    def restore(self, net: MLP, states: Sequence[tuple[str, dict[str, Any]]]) -> bool:
        """Give those which have one their state back; return whether one said True."""
        answers = []
        for callback, (kind, state) in zip(self._stateful, states, strict=True):
            try:
                answers.append(callback.restore(net, state))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                reason = f"resume: {kind} cannot go on from what the checkpoint remembers of it"
                raise ValueError(f"{reason} ({error})") from error
        return said_true(answers)

    @property
    def _stateful(self) -> list[Any]:
        both = ("state", "restore")
        return [c for c in self._callbacks if all(hasattr(c, name) for name in both)]

    def begin(self, net: MLP, names: Iterable[str]) -> None:
        """Tell those that want to know what will be recorded."""
        for callback in self._callbacks:
            if hasattr(callback, "on_fit_begin"):
                callback.on_fit_begin(net, names)

    def epoch_end(self, net: MLP, logs: Mapping[str, float]) -> bool:
        """Call every one with its own copy of the logs; return whether one of them said True."""
        return said_true(
            [
                getattr(callback, "on_epoch_end", callback)(net, dict(logs))
                for callback in self._callbacks
            ]
        )

    def end(self, net: MLP) -> None:
        """Tell those that want to know that training is over."""
        for callback in self._callbacks:
            if hasattr(callback, "on_fit_end"):
                callback.on_fit_end(net)


def checked_state(callback: Any) -> dict[str, Any]:
    """Return what a callback wants a checkpoint to keep, or raise."""
    state = callback.state()
    try:
        arrays = {name: v for name, v in state.items() if isinstance(v, np.ndarray)}
        json.dumps({name: v for name, v in state.items() if name not in arrays})
        for name, v in arrays.items():
            if str(v.dtype) not in SAFETENSORS_NAMES:
                raise TypeError(f"{name} is {shown(v)}")
    except (AttributeError, TypeError, ValueError) as error:
        expected = f"a dict of arrays of {', '.join(SAFETENSORS_NAMES)}, and what JSON can hold"
        got = f"{shown(state)} ({error})"
        raise TypeError(message(f"{type(callback).__name__}.state()", got, expected)) from None
    return dict(state)


def said_true(answers: Iterable[object]) -> bool:
    """Whether one of the answers of callbacks is True; any other means nothing."""
    return any(isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers)
