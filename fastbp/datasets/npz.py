"""NumPy's npz files: keras's mnist.npz, and the format of the cache and the sample.

np.load would do, but for files nobody vouches for: it allocates what a header claims, and reads
zip directories and headers of any length. Here every number is compared with the file first.
"""

import math
import os
import re
import struct
import zipfile
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fastbp.datasets.splits import Arrays, MAX_BYTES, MNIST, NAMES
from fastbp.datasets.streams import read_at_most

ZIP_MAGIC = b"PK\x03\x04"

_KERAS_NAMES = ("x_train", "y_train", "x_test", "y_test")

# The header exactly as np.save has always written it for plain numbers.
_HEADER = re.compile(
    rb"\{'descr': '([<>|=](?:[iu][1248]|f[248]))', 'fortran_order': (True|False), "
    rb"'shape': \((\d{1,12}(?:, \d{1,12}){0,3}),?\), \} *\n"
)
_MAX_DIRECTORY = 2**16


def read_npz(file: BinaryIO, where: object) -> Arrays:
    """Read the four arrays, under our names or keras's.

    Raises
    ------
    ValueError
        If the file is damaged, lacks an array, or holds anything but plain numbers.
    """
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            for names in (NAMES, _KERAS_NAMES):
                if all(name in members for name in names):
                    return {
                        ours: _read_member(archive, members[theirs])
                        for ours, theirs in zip(NAMES, names, strict=True)
                    }
    except Exception as error:  # on broken input, zipfile raises almost every kind there is
        raise ValueError(f"{where}: not a sound npz file ({error!s:.200}); get it again") from error
    raise ValueError(
        f"{where}: an npz without the arrays {', '.join(NAMES)} (or {', '.join(_KERAS_NAMES)})"
    )


def write_npz(file: BinaryIO, data: MNIST) -> None:
    """Write the four arrays, labels as bytes: 11.5 MB for all of MNIST."""
    np.savez_compressed(
        file,
        train_images=data.train_images,
        train_labels=data.train_labels.astype(np.uint8),
        test_images=data.test_images,
        test_labels=data.test_labels.astype(np.uint8),
    )


def _check_directory(file: BinaryIO) -> None:
    # zipfile makes an object of every entry in a zip's directory, so millions of empty entries
    # would fill the memory. np.savez writes neither comments nor (below 4 GiB) zip64 directories,
    # so that the directory's size is found at one place: at the end.
    file.seek(0, os.SEEK_END)
    file.seek(-min(42, file.tell()), os.SEEK_END)
    zip64_locator, end = struct.unpack("20s22s", file.read().rjust(42, b"\0"))
    (directory_size,) = struct.unpack("<12xI6x", end)
    if (
        not end.startswith(b"PK\x05\x06")
        or zip64_locator.startswith(b"PK\x06\x07")
        or directory_size > _MAX_DIRECTORY
    ):
        raise ValueError("not as NumPy writes it, or cut short")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    name = info.filename
    # zipfile unpacks bzip2 and lzma members without a limit.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name}: packed with method {info.compress_type}; expected deflate")
    with archive.open(info) as member:
        stream = cast(BinaryIO, member)
        magic = stream.read(8)
        if magic != b"\x93NUMPY\x01\x00":
            raise ValueError(f"{name}: starts with {magic.hex()}; expected a npy file, version 1")
        (header_length,) = struct.unpack("<H", stream.read(2).ljust(2, b"\0"))
        header = _HEADER.fullmatch(stream.read(header_length))
        if header is None:
            raise ValueError(f"{name}: its header is not that of an array of plain numbers")
        dtype = np.dtype(header[1].decode("ascii"))
        shape = tuple(int(length) for length in header[3].split(b", "))
        size = math.prod(shape) * dtype.itemsize
        available = info.file_size - len(magic) - 2 - header_length
        if size != available or size > MAX_BYTES:
            raise ValueError(
                f"{name}: its header claims {dtype} of shape {shape}, {size} bytes, but there "
                f"are {available}; expected the same number, at most {MAX_BYTES}"
            )
        content = read_at_most(stream, size, name)
    array: NDArray[Any] = np.frombuffer(content, dtype)
    # Fewer numbers, where the zip's directory is wrong too, have no such shape.
    return array.reshape(shape, order="F" if header[2] == b"True" else "C")
