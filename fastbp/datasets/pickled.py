"""The book's mnist.pkl.gz: a pickle, read without trusting it.

A pickle is a program that may call anything. This one may call five names, and what they find is
not NumPy but the stand-ins below, which only take notes; the arrays are made from the notes when
the program has ended. Before it starts, its instructions are listed: few, and of harmless kinds.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp.datasets.splits import Arrays, MAX_BYTES
from fastbp.datasets.streams import open_maybe_gzip, read_at_most

# The book's file has 158 instructions.
_MAX_INSTRUCTIONS = 1000
_INSTRUCTIONS = """
    PROTO FRAME STOP MARK POP POP_MARK PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT LONG BININT BININT1 BININT2 LONG1
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS
    GLOBAL STACK_GLOBAL REDUCE BUILD
"""
_ALLOWED_INSTRUCTIONS = frozenset(_INSTRUCTIONS.split())
_PLAIN_DTYPE = re.compile("f[248]|[iu][1248]")


def read_book_pickle(path: Path) -> Arrays:
    """Read ((images, labels) of training, validation and test), gzipped or not.

    Training and validation are joined: they are the 60,000 images of MNIST's training set.

    Raises
    ------
    ValueError
        If the file is damaged, asks for anything but arrays of numbers, or is built otherwise.
    """
    with open_maybe_gzip(path) as stream:
        content = bytes(read_at_most(stream, MAX_BYTES, path))
    _check_instructions(content, path)
    try:
        splits = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # on broken input, pickle raises almost every kind there is
        raise ValueError(f"{path}: not a pickle of NumPy arrays ({error!s:.200})") from error
    notes = _flatten(splits)
    if notes is None:
        raise ValueError(
            f"{path}: not built like the book's mnist.pkl.gz, three pairs of (images, labels)"
        )
    if sum(note.size for note in notes) > MAX_BYTES:
        raise ValueError(f"{path}: its arrays claim more than {MAX_BYTES} bytes")
    try:
        train_x, train_y, validation_x, validation_y, test_x, test_y = (
            note.to_numpy() for note in notes
        )
        return {
            "train_images": np.concatenate([train_x, validation_x]),
            "train_labels": np.concatenate([train_y, validation_y]),
            "test_images": test_x,
            "test_labels": test_y,
        }
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_instructions(content: bytes, where: object) -> None:
    try:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(content), start=1):
            if instruction.name not in _ALLOWED_INSTRUCTIONS:
                raise ValueError(f"the instruction {instruction.name} has no place in it")
            # The unpickler allocates all slots of its memo up to the largest number it sees.
            slot: Any = argument if instruction.name.endswith("PUT") else 0
            if count > _MAX_INSTRUCTIONS or slot > _MAX_INSTRUCTIONS:
                raise ValueError(f"more than {_MAX_INSTRUCTIONS} instructions")
    except Exception as error:
        raise ValueError(f"{where}: not a pickle of a few NumPy arrays ({error!s:.200})") from error


class _Dtype:
    """Stands for numpy.dtype: a name such as f4, then a byte order."""

    def __init__(self, name: str, align: object = False, copy: object = True) -> None:
        if not (isinstance(name, str) and _PLAIN_DTYPE.fullmatch(name)):
            raise ValueError("an array of something else than plain numbers")
        self.dtype: np.dtype[Any] = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, byte_order, *_rest = state
        if byte_order not in ("<", ">", "|", "="):
            raise ValueError("a dtype without a byte order")
        self.dtype = self.dtype.newbyteorder(byte_order)


class _Array:
    """Stands for numpy.ndarray, and holds the arguments of its reconstruction."""

    def __init__(self) -> None:
        self.__setstate__((1, (0,), _Dtype("u1"), False, b""))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, is_fortran, data = state
        if not (
            isinstance(shape, tuple)
            and all(isinstance(length, int) and 0 <= length <= MAX_BYTES for length in shape)
            and isinstance(dtype, _Dtype)
            and isinstance(data, str | bytes | bytearray)
        ):
            raise ValueError("an array with a malformed state")
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype[Any] = dtype.dtype
        self.is_fortran = bool(is_fortran)
        self.data = data

    @property
    def size(self) -> int:
        return max(len(self.data), math.prod(self.shape) * self.dtype.itemsize)

    def to_numpy(self) -> NDArray[Any]:
        # Python 2 wrote bytes as what Python 3 takes for text.
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        if len(data) != math.prod(self.shape) * self.dtype.itemsize:
            raise ValueError(f"{len(data)} bytes for {self.dtype} of shape {self.shape}")
        array: NDArray[Any] = np.frombuffer(data, self.dtype)
        return array.reshape(self.shape, order="F" if self.is_fortran else "C")


def _reconstruct(subtype: object, shape: object, typecode: object) -> _Array:
    return _Array()  # its state follows


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", data))
    return array


def _encode(text: object, encoding: object) -> object:
    # Python 3 spells bytes so in protocol 2. Left as text, which costs no memory if done often.
    if encoding != "latin1":
        raise ValueError("bytes in an encoding other than latin1")
    return text


_GLOBALS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _GLOBALS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _GLOBALS[f"{_core}.numeric", "_frombuffer"] = _frombuffer


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise ValueError(f"it asks for {module:.40}.{name:.40}") from None


def _flatten(splits: object) -> Sequence[_Array] | None:
    notes: list[Any] = []
    if not (isinstance(splits, tuple | list) and len(splits) == 3):
        return None
    for pair in splits:
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            return None
        notes.extend(pair)
    return notes if all(isinstance(note, _Array) for note in notes) else None
