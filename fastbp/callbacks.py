"""What runs between epochs. Those that come with fastbp are early_stopping.py and layer_errors.py.

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
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from fastbp.checkpoint import Checkpoint
from fastbp.serialization import SAFETENSORS_NAMES
from fastbp.validation import message, shown

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["Callbacks"]


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
