"""Backpropagation held against central differences."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fastbp.architecture import Architecture
from fastbp.data import dataset, refuse_not_finite
from fastbp.kernels import backward, layout
from fastbp.validation import Array, read_only
from fastbp.workspace import Workspace

__all__ = ["GradientCheck", "check_gradient"]

STEP = 1e-5  # near the cube root of float64's epsilon, where truncation and rounding balance
FLOOR = 1e-3  # of the largest slope: below it, rounding in the cost drowns the difference


class GradientCheck(NamedTuple):
    """The parameter whose derivative is worst, and how bad it is.

    error = |backpropagated - difference| / max(|backpropagated|, |difference|, floor), where floor
    is 1/1000 of the largest difference of all.
    """

    error: float
    layer: int  # l of W^l or b^l, from 1
    kind: str  # "weight" or "bias"
    where: tuple[int, ...]  # (j, k) of w_jk, or (j,) of b_j, from 0
    backpropagated: float
    difference: float

    def __str__(self) -> str:
        return (
            f"worst relative error {self.error:.2e}, at {self.kind} {list(self.where)} of layer "
            f"{self.layer}: backpropagation {self.backpropagated:.8g}, central difference "
            f"{self.difference:.8g}"
        )


def check_gradient(net: Architecture, parameters: Array, X: object, y: object) -> GradientCheck:
    """Compare all derivatives of the mean cost, in float64."""
    net = replace(net, dtype=np.dtype(np.float64))
    data = dataset(net, X, y)
    workspace = Workspace(net)
    vector: Array = layout.aligned_copy(parameters, np.float64)
    frozen = read_only(vector)
    gradient, unused = np.empty_like(vector), np.empty_like(vector)

    def cost(into: Array) -> float:
        bad_row, value = workspace.run(backward.value_and_grad, frozen, data, 0.0, 0.0, into)
        if bad_row >= 0:
            refuse_not_finite(data.X)
        return float(value)

    cost(gradient)
    differences = np.empty_like(vector)
    for i, w in enumerate(vector):
        step = STEP * max(1.0, abs(w))
        vector[i] = w + step
        above = cost(unused)
        vector[i] = w - step
        below = cost(unused)
        vector[i] = w
        differences[i] = (above - below) / (2 * step)
    slopes = np.maximum(np.abs(gradient), np.abs(differences))
    floor = max(FLOOR * np.abs(differences).max(), np.finfo(np.float64).tiny)
    errors = np.abs(gradient - differences) / np.maximum(slopes, floor)
    worst = int(np.argmax(errors))  # of the first NaN, if there is one
    layer, kind, where = place(net, worst)
    return GradientCheck(
        float(errors[worst]),
        layer,
        kind,
        where,
        float(gradient[worst]),
        float(differences[worst]),
    )


def place(net: Architecture, i: int) -> tuple[int, str, tuple[int, ...]]:
    """Return layer, kind and place of entry i of the flat vector."""
    for layer, (weights, biases) in enumerate(layout.parameter_slices(net.sizes), start=1):
        if i < weights.stop:
            return layer, "weight", divmod(i - weights.start, net.sizes[layer - 1])
        if i < biases.stop:
            return layer, "bias", (i - biases.start,)
    raise IndexError(i)
