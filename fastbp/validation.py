"""Checks of users' arguments, and one style of message: name, what came, what was expected.

Every check takes the argument's name and value, and returns the value in the one form the rest
of fastbp works with, or raises. TypeError is for a thing of the wrong kind, ValueError for a thing
of the right kind that cannot be used. data.py checks what is measured against a net: X and y.
"""

import difflib
import math
import operator
import os
import reprlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.kernels import checks

__all__ = [
    "Array",
    "all_finite",
    "array",
    "boolean",
    "checked_path",
    "choice",
    "integer",
    "message",
    "number",
    "read_only",
    "set_checked",
    "shown",
]

Array = npt.NDArray[Any]


def message(name: str, got: str, expected: str, advice: str = "") -> str:
    """One sentence: the argument, what came, what was expected, and what to do."""
    text = f"{name}: got {got}, expected {expected}"
    return f"{text}; {advice}" if advice else text


def shown(value: object) -> str:
    """Return a value as it appears in a message: short, and with its type."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    try:
        text = reprlib.repr(value)
    except Exception:  # an integer of more digits than Python prints, or anything at all
        text = "a value that cannot be printed"
    return f"{text} ({type(value).__name__})"


def integer(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """Return an int in minimum..maximum; NumPy's integers are taken, True and 3.0 are not."""
    expected = f"an integer of at least {minimum}"
    if maximum is not None:
        expected += f" and at most {maximum}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(message(name, shown(value), expected))
    try:
        whole = operator.index(value)
    except TypeError:
        raise TypeError(message(name, shown(value), expected)) from None
    if whole < minimum or (maximum is not None and whole > maximum):
        got = str(whole) if abs(whole) < 10**20 else f"a number of {whole.bit_length()} bits"
        raise ValueError(message(name, got, expected))
    return whole


def number(
    name: str,
    value: object,
    minimum: float = 0.0,
    maximum: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> float:
    """Return a finite float in [minimum, maximum]; `above` and `below` leave out those ends."""
    # A string has no __float__; arrays, booleans and NumPy's complex numbers have one.
    refused = (bool, np.bool_, np.complexfloating, np.ndarray)
    if type(value) is float or (hasattr(value, "__float__") and not isinstance(value, refused)):
        try:
            real = float(value)
        except OverflowError:  # of integers and fractions
            real = math.inf
        too_small = real <= minimum if above else real < minimum
        too_large = real >= maximum if below else real > maximum
        if math.isfinite(real) and not too_small and not too_large:
            return real
        kind: type[Exception] = ValueError
    else:
        kind = TypeError
    left, right = "(" if above else "[", ")" if below or math.isinf(maximum) else "]"
    expected = f"a number in {left}{minimum:g}, {maximum:g}{right}"
    raise kind(message(name, shown(value), expected))


def boolean(name: str, value: object) -> bool:
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(message(name, shown(value), "True or False"))
    return bool(value)


def choice(name: str, value: object, valid: Iterable[str]) -> str:
    """Return one of the valid names; suggest the nearest to a misspelt one."""
    names = list(valid)
    expected = f"one of {', '.join(names)}"
    if not isinstance(value, str):
        raise TypeError(message(name, shown(value), expected))
    if value not in names:
        near = difflib.get_close_matches(value[:40].lower(), names, n=1)
        advice = f"did you mean {near[0]!r}?" if near else ""
        raise ValueError(message(name, reprlib.repr(value), expected, advice))
    return value


def checked_path(name: str, value: object) -> Path:
    """Return the path of a file, which need not exist."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise TypeError(message(name, shown(value), "the path of a file"))
    return Path(os.fspath(value))


def is_number(value: object) -> bool:
    """Whether an element of an array of objects is a real number or a truth value."""
    return isinstance(value, (int, float, np.integer, np.floating, np.bool_))


def array(name: str, value: object, dtype: npt.DTypeLike | None) -> Array:
    """Return an aligned, C-contiguous array of exactly `dtype`; copy only what isn't one.

    None keeps the dtype that came, where it is one of numbers.
    Numbers and booleans of any kind are taken, in arrays of any layout, lists, or anything that
    NumPy reads as an array. A number too large for `dtype` becomes infinite: the caller checks.
    Raises MemoryError where the copy does not fit.
    """
    if type(value) is np.ndarray and value.dtype == dtype:
        flags = value.flags
        if flags.c_contiguous and flags.aligned and value.dtype.kind in "biuf":
            return value  # as it would be in the end: 3 us later
    expected = "an array of real numbers"
    if hasattr(value, "tocsr"):
        raise TypeError(message(name, "a sparse matrix", "a dense array", "call .toarray() on it"))
    if np.ma.is_masked(value):
        raise ValueError(message(name, "masked entries", expected, "fill or drop them"))
    try:
        raw = np.asarray(value)
    except ValueError:
        raise ValueError(message(name, "rows of different lengths", expected)) from None
    if raw.dtype == object and raw.ndim and all(map(is_number, raw.flat)):
        with suppress(OverflowError):
            raw = raw.astype(np.float64)  # as of columns of several types, side by side
    if raw.dtype.kind not in "biuf":
        got = f"an array of dtype {raw.dtype}" if raw.ndim else shown(value)
        advice = "" if raw.ndim == 0 else "convert text and categories to numbers first"
        raise TypeError(message(name, got, expected, advice))
    try:
        with np.errstate(over="ignore", under="ignore"):
            return np.require(raw, dtype, ["C_CONTIGUOUS", "ALIGNED"])
    except MemoryError:
        # Only an array that must be converted is copied.
        got = f"{raw.dtype} of shape {raw.shape}, for whose copy there is no memory"
        wanted = f"C-contiguous {np.dtype(dtype or raw.dtype)}, which is not copied"
        advice = "convert it piece by piece into a numpy.memmap, or train on pieces: partial_fit"
        raise MemoryError(message(name, got, wanted, advice)) from None


def set_checked(instance: object, **values: object) -> None:
    """Store checked values in a frozen dataclass, as its __post_init__ may."""
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def read_only(values: Array) -> Array:
    """Return a view that cannot be written to: the form in which kernels take what they read.

    Through `flags` it would take twice as long, a twentieth of the time of one row forward.
    """
    view = values[:]
    view.setflags(write=False)
    return view


def all_finite(values: Array) -> bool:
    """Whether a C-contiguous array of float32 or float64 holds no NaN and no infinity."""
    row = values.reshape(1, -1)
    row.setflags(write=False)  # of the view: the kernel is compiled for arrays to read
    return bool(checks.first_bad_row(row) < 0)
