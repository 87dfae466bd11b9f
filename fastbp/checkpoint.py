"""Checkpoints: all that training knows after an epoch, in one file from which it can go on.

A checkpoint is a model file (serialization.py) with more in it. Its tensors are also

    slots              (slots, n_parameters)   the optimizer's vectors, in the parameters' order
    history.NAME       (epochs,) float64       as in History
    callbacks.I.NAME                           arrays that the I-th of the callbacks remembers

and the entry "checkpoint" of its metadata is a JSON object: version, epoch, steps, seed (of the
dropout masks), schedule, random_state (NumPy's PCG64), history (its names, in order), settings
(the arguments of `fit` that the bits of the result depend on, as text), and callbacks, a list of
[type, what it remembers].
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastbp.architecture import Architecture
from fastbp.replacing import remove_leftovers, require_replaceable
from fastbp.serialization import CHECKPOINT, opened, read_net, refused, write
from fastbp.validation import Array, checked_path, integer, shown

__all__ = ["Checkpoint", "Snapshot", "write_checkpoints"]

VERSION = 1


class Checkpoint:
    """Keep a file from which `fit` can go on to the same bits, after a crash or another day.

    Written after every so many epochs and when training ends by itself or by a callback. The new
    file takes the old one's name when it is complete and on the disk, so that a crash, a kill or a
    full disk leaves one or the other. A file that cannot be written is a warning, not the end of
    the training: the one before stays. Ctrl-C writes none: what is lost is the epoch it fell into.

    ``fit(..., callbacks=[Checkpoint(path)], resume=path)`` can be run again and again: it begins
    where there is no file yet, goes on where there is one, and returns at once where it is done.
    A file that was there is replaced, also by a training that does not resume from it.

    It holds parameters, optimizer, schedule, random state, history, and what the callbacks
    remember; `MLP.load` reads it too, as the net after the last epoch written.

    Parameters
    ----------
    path : str or path-like
        A safetensors file; its folder must exist.
    every : int
        Epochs from one writing to the next.

    Examples
    --------
    >>> import tempfile
    >>> from fastbp import Checkpoint, MLP
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/xor.safetensors"
    ...     saved = [Checkpoint(path)]
    ...     net = MLP([2, 5, 2], seed=0)
    ...     _ = net.fit(X, y, epochs=3, callbacks=saved)  # and here the power fails
    ...     net = MLP([2, 5, 2])
    ...     history = net.fit(X, y, epochs=9, callbacks=saved, resume=path)
    >>> history.epochs
    9
    >>> whole = MLP([2, 5, 2], seed=0)
    >>> _ = whole.fit(X, y, epochs=9)
    >>> bool((net.parameters == whole.parameters).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = checked_path("path", path)
        self.every = integer("every", every)

    def prepare(self) -> None:
        """Raise now if nothing can be written there; remove what a killed process left behind."""
        require_replaceable(self.path)
        remove_leftovers(self.path)

    def is_due(self, epoch: int, is_last: bool) -> bool:
        """Whether to write after this epoch, counted from 1."""
        return is_last or epoch % self.every == 0

    def __repr__(self) -> str:
        return f"Checkpoint({os.fspath(self.path)!r}, every={self.every})"


@dataclass(frozen=True)
class Snapshot:
    """What training knows after an epoch."""

    net: Architecture
    parameters: Array  # (n_parameters,)
    slots: Array  # (slots, n_parameters), or (1, 0)
    epoch: int
    steps: int
    seed: int
    schedule: tuple[float, ...]
    random_state: dict[str, Any]  # of PCG64
    history: dict[str, list[float]]
    settings: dict[str, str]
    callbacks: list[tuple[str, dict[str, Any]]]  # type, what it remembers

    def write(self, path: Path, check: Callable[[], None] = lambda: None) -> None:
        """Write a checkpoint; what `check` raises now and then ends it, and the old one stays.

        Raises
        ------
        TypeError
            If a callback remembers something that is neither an array nor fit for JSON.
        OSError
            If the file cannot be written; the one that was there stays.
        """
        tensors: dict[str, Array] = {"slots": self.slots}
        tensors |= {f"history.{name}": np.array(v) for name, v in self.history.items()}
        remembered = []
        for i, (kind, state) in enumerate(self.callbacks):
            arrays = {name: v for name, v in state.items() if isinstance(v, np.ndarray)}
            tensors |= {f"callbacks.{i}.{name}": array for name, array in arrays.items()}
            remembered.append([kind, {n: v for n, v in state.items() if n not in arrays}])
        described = {
            "version": VERSION,
            "epoch": self.epoch,
            "steps": self.steps,
            "seed": self.seed,
            "schedule": self.schedule,
            "random_state": self.random_state,
            "history": list(self.history),
            "settings": self.settings,
            "callbacks": remembered,
        }
        metadata = {CHECKPOINT: json.dumps(described)}
        write(path, self.net, self.parameters, tensors, metadata, check)

    @classmethod
    def read(cls, name: str, path: str | os.PathLike[str]) -> Snapshot:
        """Read a checkpoint, which the argument `name` asked for.

        Raises
        ------
        ValueError
            If it is damaged, of a later version, or no checkpoint.
        OSError
            If it cannot be read.
        """
        with opened(name, path) as file:
            net, parameters = read_net(name, path, file)
            text = file.metadata().get(CHECKPOINT)
            if text is None:
                reason = "is a net without its training, expected what Checkpoint wrote"
                raise refused(name, path, f"{reason}; use MLP.load(path)")
            try:
                found = json.loads(text)
                version = found["version"]
                if version == VERSION:
                    return cls(net, parameters, **contents(found, net, file))
            except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
                raise refused(
                    name, path, f"holds no training that can go on ({error!r:.200})"
                ) from None
            except RecursionError:
                raise refused(name, path, "holds no training that can go on") from None
        reason = f"has checkpoint version {shown(version)}, expected {VERSION}"
        raise refused(name, path, f"{reason}; a newer fastbp may read it")


def write_checkpoints(
    checkpoints: Iterable[Checkpoint],
    epoch: int,
    is_last: bool,
    snapshot: Callable[[], Snapshot],
    check: Callable[[], None],
) -> None:
    """Write those which are due; where one cannot be written, say so and go on."""
    for checkpoint in checkpoints:
        if checkpoint.is_due(epoch, is_last):
            try:
                snapshot().write(checkpoint.path, check)
            except OSError as error:
                warnings.warn(
                    f"no checkpoint was written after epoch {epoch}, and training goes on: {error}",
                    stacklevel=5,
                )


def contents(found: dict[str, Any], net: Architecture, file: Any) -> dict[str, Any]:
    """Return Snapshot's fields from the JSON and the tensors, or raise one error or another."""
    epoch = integer("epoch", found["epoch"])
    slots = file.get_tensor("slots")
    # (1, 0) where the optimizer remembers nothing.
    if slots.dtype != net.dtype or slots.shape[1:] not in ((net.n_parameters,), (0,)):
        raise ValueError(f"slots of shape {slots.shape} and dtype {slots.dtype}")
    if not (slots > -np.inf).all():  # the mean of g^2 may overflow where all else does not
        raise ValueError("NaN or -infinity among the slots")
    history = {str(name): file.get_tensor(f"history.{name}") for name in found["history"]}
    history["loss"]  # whose length no number in the header can make up
    for name, numbers in history.items():
        if numbers.shape != (epoch,) or numbers.dtype != np.float64:
            raise ValueError(f"history.{name} of shape {numbers.shape}, expected ({epoch},)")
    callbacks = [(str(kind), dict(state)) for kind, state in found["callbacks"]]
    for tensor in file.keys():  # noqa: SIM118 - it is no dict, and cannot be iterated over
        if tensor.startswith("callbacks."):
            _, i, name = tensor.split(".", 2)
            callbacks[integer("callback", int(i), 0)][1][name] = file.get_tensor(tensor)
    return {
        "slots": slots,
        "epoch": epoch,
        "steps": integer("steps", found["steps"], 0, 2**62),
        "seed": integer("seed", found["seed"], 0, 2**63 - 1),
        "schedule": tuple(map(float, found["schedule"])),
        "random_state": checked_random_state(found["random_state"]),
        "history": {name: numbers.tolist() for name, numbers in history.items()},
        "settings": {str(name): str(value) for name, value in found["settings"].items()},
        "callbacks": callbacks,
    }


def checked_random_state(state: Any) -> dict[str, Any]:
    """Return the state of a PCG64 as NumPy gives it, or raise."""
    generator = np.random.PCG64(0)
    generator.state = state
    return dict(generator.state)
