"""Going on from a checkpoint: only with what the bits of the result depend on as it was."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TYPE_CHECKING

import numpy as np

from fastbp.architecture import Architecture
from fastbp.callbacks import Callbacks
from fastbp.checkpoint import Snapshot
from fastbp.validation import Array, checked_path, message

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["restore", "resumption"]

SAMPLED_ROWS = 256  # of the data, to tell whether they are the same


def resumption(
    net: Architecture,
    data: Any,
    validation: Any,
    settings: Mapping[str, object],
    callbacks: Callbacks,
    resume: object,
    epochs: int,
) -> tuple[Snapshot | None, dict[str, str]]:
    """Return what to go on from, and what checkpoints say of this training; or raise.

    `settings` are the arguments of `fit`, beside the data, that the result depends on.
    """
    if resume is None and not callbacks.checkpoints:
        return None, {}
    told = {name: as_text(value) for name, value in settings.items()} | prints(data, validation)
    if (snapshot := checked_resume(resume, net)) is not None:
        compare(snapshot, told, epochs)
        callbacks.check_kinds(snapshot.callbacks)
    return snapshot, told


def restore(net: MLP, snapshot: Snapshot, callbacks: Callbacks) -> bool:
    """Put net and callbacks back to where they were; return whether a callback had said to stop."""
    is_over = callbacks.restore(net, snapshot.callbacks)
    net.parameters[:] = snapshot.parameters
    net._rng.bit_generator.state = snapshot.random_state
    return is_over


def checked_resume(resume: object, net: Architecture) -> Snapshot | None:
    """Return what to go on from; None to begin, where there is no such file yet."""
    if resume is None:
        return None
    path = checked_path("resume", resume)
    if not path.exists() and path.parent.is_dir():
        return None
    snapshot = Snapshot.read("resume", path)
    if snapshot.net != net:
        got, expected = summary(snapshot.net), f"one of this net, {summary(net)}"
        raise ValueError(message("resume", f"a checkpoint of {got}", expected))
    return snapshot


def compare(snapshot: Snapshot, settings: Mapping[str, str], epochs: int) -> None:
    """Raise unless training with these settings goes on as the checkpoint's did."""
    advice = "to train on with other arguments, use MLP.load and fit without resume"
    for name, value in settings.items():
        saved = snapshot.settings.get(name)
        if value != saved:
            raise ValueError(message(name, value, f"{saved}, as in the checkpoint", advice))
    if epochs < snapshot.epoch:
        expected = f"at least the {snapshot.epoch} that the checkpoint has behind it"
        raise ValueError(message("epochs", str(epochs), expected, "epochs counts all of them"))


def prints(data: Any, validation: Any) -> dict[str, str]:
    """Return fingerprints of the data by the names of the arguments they come from."""
    return {
        "X": fingerprint(data.X),
        "y": fingerprint(data.labels, data.targets),
        "sample_weight and class_weight": fingerprint(data.weights),
        "validation_data": "None" if validation is None else fingerprint(*validation),
    }


def as_text(value: object) -> str:
    """Return repr, but without the address of an object in memory."""
    if is_dataclass(value):
        inner = ", ".join(f"{f.name}={as_text(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__qualname__}({inner})"
    if type(value).__repr__ is not object.__repr__:
        return repr(value)
    attributes = getattr(value, "__dict__", {})
    inner = ", ".join(f"{name}={as_text(inside)}" for name, inside in attributes.items())
    return f"{type(value).__qualname__}({inner})" if inner else type(value).__qualname__


def fingerprint(*arrays: Array) -> str:
    """Return the number of rows, and a checksum of some of them."""
    rows, checksum = max(len(array) for array in arrays), 0
    for array in arrays:
        if len(array):
            some = np.linspace(0, len(array) - 1, min(len(array), SAMPLED_ROWS)).astype(np.int64)
            checksum = zlib.crc32(array[some].tobytes(), checksum)
    return f"{rows} rows with checksum {checksum:08x}" if rows else "None"


def summary(net: Architecture) -> str:
    """Return an architecture in a few words."""
    return (
        f"sizes {list(net.sizes)}, activation {list(net.activations)}, output {net.output!r}, "
        f"loss {net.loss!r}, {net.dtype}"
    )
