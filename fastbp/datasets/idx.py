"""The IDX format of the classic files.

Big-endian 32-bit numbers, a magic number and one length for each dimension, then the bytes. The
magic number's third byte is the type (8: unsigned byte), its fourth the number of dimensions.
"""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastbp.datasets.splits import Arrays, MAX_BYTES
from fastbp.datasets.streams import open_maybe_gzip, read_at_most

UBYTE_MAGIC = b"\x00\x00\x08"

# The part of the classic file name before "-idx3-ubyte" or ".idx3-ubyte", and the dimensions.
_FILES = {
    "train_images": ("train-images", 3),
    "train_labels": ("train-labels", 1),
    "test_images": ("t10k-images", 3),
    "test_labels": ("t10k-labels", 1),
}


def idx_file_names(name: str) -> tuple[str, ...]:
    """Return the names a file of this array has in the wild; the mirrors' comes last."""
    stem, dimensions = _FILES[name]
    return tuple(
        f"{stem}{joint}idx{dimensions}-ubyte{suffix}" for joint in ".-" for suffix in ("", ".gz")
    )


def find_idx_files(folder: Path) -> dict[str, Path]:
    """Return those of the four files that the folder has, by the name of their array."""
    return {
        name: folder / file_name
        for name in _FILES
        for file_name in idx_file_names(name)
        if (folder / file_name).is_file()
    }


def read_idx_files(files: dict[str, Path]) -> Arrays:
    """Read the four files, given by the name of their array."""
    return {name: read_idx(path, dimensions=_FILES[name][1]) for name, path in files.items()}


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Raises
    ------
    ValueError
        If the header is not that of an array with so many dimensions, or does not agree with the
        length of the file.
    """
    with open_maybe_gzip(path) as stream:
        magic = stream.read(4)
        expected_magic = UBYTE_MAGIC + bytes([dimensions])
        if magic != expected_magic:
            raise ValueError(
                f"{path}: starts with {magic.hex()}; expected {expected_magic.hex()}, "
                f"an IDX file of unsigned bytes in {dimensions} dimension(s)"
            )
        lengths = stream.read(4 * dimensions)
        if len(lengths) < 4 * dimensions:
            raise ValueError(f"{path}: ends inside its header; get the file again")
        shape = struct.unpack(f">{dimensions}I", lengths)
        size = math.prod(shape)
        if size > MAX_BYTES:
            raise ValueError(
                f"{path}: its header claims the shape {shape}, {size} bytes; "
                f"expected at most {MAX_BYTES}"
            )
        content = read_at_most(stream, size, path)
    if len(content) < size:
        raise ValueError(
            f"{path}: {len(content)} bytes of data, but its header claims the shape {shape}; "
            f"expected {size}. Get the file again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)
