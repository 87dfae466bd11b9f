"""Model files: safetensors, with the architecture as metadata. No pickle, so nothing is executed.

The tensors weights.1, biases.1, ..., weights.L, biases.L have the shapes (n_l, n_(l-1)) and (n_l,).
The metadata are {"format": "fastbp", "version": "1", "architecture": JSON}, where the JSON names
sizes, activation (a list), output, loss and dtype, as MLP's arguments do. A checkpoint has more
tensors and one more entry, "checkpoint": see checkpoint.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastbp.architecture import Architecture
from fastbp.data import require_finite_parameters
from fastbp.kernels import layout
from fastbp.replacing import replacing
from fastbp.validation import Array, checked_path, shown

__all__ = [
    "CHECKPOINT",
    "SAFETENSORS_NAMES",
    "load",
    "opened",
    "read_net",
    "refused",
    "save",
    "write",
]

VERSION = "1"
CHECKPOINT = "checkpoint"  # the entry of the metadata that tells a checkpoint
PIECE = 2**24  # bytes written at a time: some milliseconds
SAFETENSORS_NAMES = {"float32": "F32", "float64": "F64", "int64": "I64"}

PathLike = str | os.PathLike[str]


def save(path: PathLike, net: Architecture, parameters: Array, check: Callable[[], object]) -> None:
    """Write a net's architecture and parameters, unless `check` raises; see MLP.save."""
    require_finite_parameters(parameters, "saving")
    write(checked_path("path", path), net, parameters, check=check)


def write(
    path: PathLike,
    net: Architecture,
    parameters: Array,
    more_tensors: Mapping[str, Array] | None = None,
    more_metadata: Mapping[str, str] | None = None,
    check: Callable[[], object] = lambda: None,
) -> None:
    """Write a model file, or one that holds more, unless `check` raises now and then or at last."""
    tensors = dict(more_tensors or {})
    places = layout.parameter_slices(net.sizes)
    for layer, (weights, biases) in enumerate(places, start=1):
        tensors[f"weights.{layer}"] = parameters[weights].reshape(net.sizes[layer], -1)
        tensors[f"biases.{layer}"] = parameters[biases]
    described = {
        "sizes": net.sizes,
        "activation": net.activations,
        "output": net.output,
        "loss": net.loss,
        "dtype": str(net.dtype),
    }
    metadata = {"format": "fastbp", "version": VERSION, "architecture": json.dumps(described)}
    pieces = safetensors_file(tensors, metadata | dict(more_metadata or {}))
    with replacing(Path(path)) as file:
        for piece in pieces:
            file.write(piece)
            check()


def safetensors_file(
    tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield the contents of a file piece by piece; of the tensors nothing is copied.

    The length of the header in 8 bytes, little-endian; the header, JSON padded with blanks to a
    multiple of 8; the tensors one after another, in C order and little-endian.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    arrays, end = [], 0
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
        arrays.append(array)
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": SAFETENSORS_NAMES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for array in arrays:
        content = array.reshape(-1).view(np.uint8).data
        for start in range(0, len(content), PIECE):
            yield content[start : start + PIECE]


def load(path: PathLike) -> tuple[Architecture, Array]:
    """Read what `save` wrote, as (architecture, parameters); MLP.load documents it."""
    with opened("path", checked_path("path", path)) as file:
        return read_net("path", path, file)


@contextmanager
def opened(name: str, path: PathLike) -> Iterator[Any]:
    """Open a safetensors file, which the argument `name` asked for."""
    from safetensors import safe_open, SafetensorError

    if not Path(path).is_file():
        # safetensors' own errors do not name the file.
        raise FileNotFoundError(f"{name}: no file {os.fspath(path)!r}")
    try:
        # Opening checks the header against the length of the file; nothing is read before.
        with safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise refused(name, path, f"is damaged or no safetensors file ({error!s:.200})") from None


def refused(name: str, path: PathLike, reason: str) -> ValueError:
    """Return the error that names the file."""
    return ValueError(f"{name}: {os.fspath(path)!r} {reason}")


def read_net(name: str, path: PathLike, file: Any) -> tuple[Architecture, Array]:
    """Return architecture and parameters from an open model file or checkpoint."""
    metadata = file.metadata() or {}
    architecture = read_architecture(name, path, metadata)
    check_tensors(name, path, architecture, file, more=CHECKPOINT in metadata)
    layers = range(1, architecture.n_layers + 1)
    names = [f"{kind}.{layer}" for layer in layers for kind in ("weights", "biases")]
    parameters = np.concatenate([file.get_tensor(tensor).ravel() for tensor in names])
    if not np.isfinite(parameters).all():
        raise refused(name, path, "holds NaN or infinity among the parameters")
    return architecture, parameters


def read_architecture(name: str, path: PathLike, metadata: Mapping[str, str]) -> Architecture:
    """Return the architecture that the metadata describe."""
    if metadata.get("format") != "fastbp":
        raise refused(name, path, "is a safetensors file, but not one that MLP.save wrote")
    version = metadata.get("version")
    if version != VERSION:
        reason = f"has version {shown(version)}, expected {VERSION!r}; a newer fastbp may read it"
        raise refused(name, path, reason)
    try:
        described = json.loads(metadata["architecture"])
        return Architecture.checked(
            described["sizes"],
            described["activation"],
            described["output"],
            described["loss"],
            described["dtype"],
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"describes no net that fastbp knows ({error!s:.200})"
        raise refused(name, path, reason) from None


def check_tensors(name: str, path: PathLike, net: Architecture, file: Any, more: bool) -> None:
    """Refuse a file whose tensors are not those of the architecture, before any is read."""
    expected = {}
    found = set(file.keys())
    if len(found) >= 2 * net.n_layers:  # or an architecture of a million layers would cost much
        for layer in range(1, net.n_layers + 1):
            expected[f"weights.{layer}"] = [net.sizes[layer], net.sizes[layer - 1]]
            expected[f"biases.{layer}"] = [net.sizes[layer]]
    if not expected or not (found >= set(expected) if more else found == set(expected)):
        raise refused(name, path, "does not hold the tensors that its architecture asks for")
    kind = SAFETENSORS_NAMES[str(net.dtype)]
    for tensor, shape in expected.items():
        lies = file.get_slice(tensor)
        have = list(lies.get_shape()), lies.get_dtype()
        if have != (shape, kind):
            reason = f"has {have[1]} {tensor} of shape {have[0]}, expected {kind} of {shape}"
            raise refused(name, path, reason)
