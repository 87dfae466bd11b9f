"""Model files: safetensors, with the architecture as metadata. No pickle, so nothing is executed.

The tensors weights.1, biases.1, ..., weights.L, biases.L have the shapes (n_l, n_(l-1)) and (n_l,).
The metadata are {"format": "fastbp", "version": "1", "architecture": JSON}, where the JSON names
sizes, activation (a list), output, loss and dtype, as MLP's arguments do.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np

from fastbp.architecture import Architecture
from fastbp.validation import Array, shown

if TYPE_CHECKING:
    from fastbp.mlp import MLP

__all__ = ["load", "save"]

VERSION = "1"
SAFETENSORS_NAMES = {"float32": "F32", "float64": "F64"}


def save(path: str | os.PathLike[str], net: MLP) -> None:
    """Write a net's architecture and parameters; MLP.save documents it."""
    from safetensors.numpy import save as to_bytes

    tensors = {}
    for layer, (weights, biases) in enumerate(zip(net.weights, net.biases, strict=True), start=1):
        # safetensors writes the bytes as they lie: anything but C order would be scrambled.
        tensors[f"weights.{layer}"] = np.ascontiguousarray(weights)
        tensors[f"biases.{layer}"] = np.ascontiguousarray(biases)
    architecture = net.architecture
    described = {
        "sizes": architecture.sizes,
        "activation": architecture.activations,
        "output": architecture.output,
        "loss": architecture.loss,
        "dtype": str(architecture.dtype),
    }
    metadata = {"format": "fastbp", "version": VERSION, "architecture": json.dumps(described)}
    write_atomically(Path(path), to_bytes(tensors, metadata))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by a complete new one, or leave it as it was."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        # A file in a folder of one's own has the usual permissions, unlike mkstemp's.
        new = Path(folder, path.name)
        with open(new, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def load(path: str | os.PathLike[str]) -> tuple[Architecture, Array]:
    """Read what `save` wrote, as (architecture, parameters); MLP.load documents it."""
    from safetensors import safe_open, SafetensorError

    if not Path(path).is_file():
        # safetensors' own errors do not name the file.
        raise FileNotFoundError(f"path: no file {os.fspath(path)!r}")
    try:
        # Opening checks the header against the length of the file; nothing is read before.
        with safe_open(path, framework="numpy") as file:
            architecture = read_architecture(path, file.metadata() or {})
            check_tensors(path, architecture, file)
            layers = range(1, architecture.n_layers + 1)
            names = [f"{kind}.{layer}" for layer in layers for kind in ("weights", "biases")]
            parameters = np.concatenate([file.get_tensor(name).ravel() for name in names])
    except SafetensorError as error:
        raise refused(path, f"is damaged or no safetensors file ({error!s:.200})") from None
    if not np.isfinite(parameters).all():
        raise refused(path, "holds NaN or infinity among the parameters")
    return architecture, parameters


def refused(path: str | os.PathLike[str], reason: str) -> ValueError:
    """Return the error that names the file."""
    return ValueError(f"path: {os.fspath(path)!r} {reason}")


def read_architecture(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> Architecture:
    """Return the architecture that the metadata describe."""
    if metadata.get("format") != "fastbp":
        raise refused(path, "is a safetensors file, but not one that MLP.save wrote")
    version = metadata.get("version")
    if version != VERSION:
        raise refused(
            path, f"has version {shown(version)}, expected {VERSION!r}; a newer fastbp may read it"
        )
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
        raise refused(path, f"describes no net that fastbp knows ({error!s:.200})") from None


def check_tensors(path: str | os.PathLike[str], net: Architecture, file: Any) -> None:
    """Refuse a file whose tensors are not those of the architecture, before any is read."""
    expected = {}
    names = set(file.keys())
    if len(names) == 2 * net.n_layers:  # or an architecture of a million layers would cost much
        for layer in range(1, net.n_layers + 1):
            expected[f"weights.{layer}"] = [net.sizes[layer], net.sizes[layer - 1]]
            expected[f"biases.{layer}"] = [net.sizes[layer]]
    if names != set(expected):
        raise refused(path, "does not hold the tensors that its architecture asks for")
    for name, shape in expected.items():
        tensor = file.get_slice(name)
        found = list(tensor.get_shape()), tensor.get_dtype()
        if found != (shape, SAFETENSORS_NAMES[str(net.dtype)]):
            raise refused(path, f"has {found[1]} {name} of shape {found[0]}, expected {shape}")
