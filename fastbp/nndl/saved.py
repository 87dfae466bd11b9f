"""The JSON files of network2's Network.save, read without trusting them.

Every list is held against the sizes before anything of those sizes is made, so that a file costs
memory by its length, whatever it promises.
"""

from __future__ import annotations

import json
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastbp.validation import Array

__all__ = ["Saved", "read_saved"]


class Saved(NamedTuple):
    """What a file holds; sizes, weights and biases fit each other."""

    sizes: list[int]
    weights: list[Array]  # (sizes[l+1], sizes[l]) each
    biases: list[Array]  # (sizes[l+1], 1) each
    cost: str


def read_saved(filename: str | PathLike[str]) -> Saved:
    """Read a file.

    Raises
    ------
    ValueError
        If it holds something else than a Network; the message names it.
    """
    try:
        data = json.loads(Path(filename).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{filename}: not a saved Network, which is JSON ({error})") from None
    missing = set(Saved._fields) - set(data if isinstance(data, dict) else ())
    if missing:
        raise ValueError(f"{filename}: no {', '.join(sorted(missing))}; not a saved Network")
    sizes, weights, biases, cost = (data[field] for field in Saved._fields)
    if not (
        isinstance(sizes, list) and sizes and all(type(n) is int and 0 < n < 2**40 for n in sizes)
    ):
        raise ValueError(f"{filename}: sizes are no list of positive integers")
    for name, layers in (("weights", weights), ("biases", biases)):
        if not (isinstance(layers, list) and len(layers) == len(sizes) - 1):
            raise ValueError(f"{filename}: {name} are no list of one matrix for each layer")
    if not isinstance(cost, str):
        raise ValueError(f"{filename}: cost is no name")
    for l, (n_below, n) in enumerate(pairwise(sizes)):
        weights[l] = matrix(weights[l], n, n_below, f"{filename}: weights[{l}]")
        biases[l] = matrix(biases[l], n, 1, f"{filename}: biases[{l}]")
    return Saved(sizes, weights, biases, cost)


def matrix(rows: object, n: int, columns: int, what: str) -> Array:
    """Return n lists of so many numbers as an array, or raise."""
    if not (
        isinstance(rows, list)
        and len(rows) == n
        and all(isinstance(row, list) and len(row) == columns for row in rows)
        and all(type(number) in (int, float) for row in rows for number in row)
    ):
        raise ValueError(f"{what} is no matrix of numbers of shape ({n}, {columns}), as sizes say")
    try:
        numbers = np.array(rows, np.float64)
    except OverflowError:
        numbers = np.array(np.inf)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} holds NaN, infinity or a number too large for float64")
    return numbers
