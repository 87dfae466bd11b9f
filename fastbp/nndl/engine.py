"""The book's mini-batch loop in the kernels: parameters in, epochs, parameters out.

The book keeps a list of weight matrices (n_l, n_(l-1)) and a list of bias columns (n_l, 1); kernels
want one flat vector W^1, b^1, W^2, ... `Engine` copies the lists into it, trains, and gives new
lists back, as the book's own update makes new arrays too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fastbp.architecture import Architecture
from fastbp.data import is_mostly_zero, NO_LABELS, refuse_not_finite
from fastbp.interrupts import Interrupts
from fastbp.kernels import epoch, layout
from fastbp.kernels.forward import forward
from fastbp.nndl.examples import Examples
from fastbp.optimizers import SGD
from fastbp.row_weights import NO_WEIGHTS
from fastbp.stepper import Stepper
from fastbp.validation import Array, message, read_only

__all__ = ["Engine"]


class Engine:
    """A net of sigmoid neurons in float64.

    Parameters
    ----------
    weights : sequence of array, (n_l, n_(l-1)) each
    biases : sequence of array, (n_l, 1) each
    loss : {"quadratic", "cross_entropy"}
    rows : int
        Examples in a mini-batch.
    data : Examples, optional
        What to train on. Of an input that is 0 in all of them a step changes the weights by the
        decay only, so `kept` has all W^1, and the net those of the other inputs.

    Raises
    ------
    ValueError
        If the shapes do not make a net, or the examples do not fit it.
    """

    def __init__(
        self,
        weights: Sequence[Array],
        biases: Sequence[Array],
        loss: str = "quadratic",
        rows: int = layout.BLOCK_ROWS,
        data: Examples | None = None,
    ) -> None:
        sizes = checked_sizes(weights, biases)
        self.used: Array = np.arange(sizes[0])
        if data is not None:
            self.data, self.used = data, used_inputs(data, sizes)
            sizes = (len(self.used), *sizes[1:])
        names = ("sigmoid",) * (len(sizes) - 2)
        self.net = Architecture(sizes, names, "sigmoid", loss, np.dtype(np.float64))
        self.stepper = Stepper(self.net, rows)
        self.parameters: Array = layout.aligned_zeros(self.net.n_parameters, np.float64)
        self.load(weights, biases)

    def load(self, weights: Sequence[Array], biases: Sequence[Array]) -> None:
        """Copy the book's lists into the flat vector."""
        self.kept: Array = np.array(weights[0], np.float64)
        places = layout.parameter_slices(self.net.sizes)
        of_net = [self.kept[:, self.used], *weights[1:]]
        for (w_place, b_place), w, b in zip(places, of_net, biases, strict=True):
            self.parameters[w_place] = np.ravel(w)
            self.parameters[b_place] = np.ravel(b)

    def weights(self) -> list[Array]:
        """Return new arrays W^1..W^L, (n_l, n_(l-1)) each."""
        places, shapes = layout.parameter_slices(self.net.sizes), pairwise(self.net.sizes)
        of_net = [
            self.parameters[w].reshape(n, n_below).copy()
            for (w, _), (n_below, n) in zip(places, shapes, strict=True)
        ]
        first = self.kept.copy()
        first[:, self.used] = of_net[0]
        return [first, *of_net[1:]]

    def biases(self) -> list[Array]:
        """Return new arrays b^1..b^L, columns (n_l, 1)."""
        places = layout.parameter_slices(self.net.sizes)
        return [self.parameters[b].reshape(-1, 1).copy() for _, b in places]

    def train_epoch(self, order: Array, eta: float, decay: float, interrupts: Interrupts) -> None:
        """Make one pass over the data, in this order; KeyboardInterrupt comes between two steps.

        w <- w - eta (nabla_w + decay w), b <- b - eta nabla_b, nabla the mean over a mini-batch,
        which is the book's w <- (1 - eta lambda/n) w - (eta/m) sum nabla_w with decay = lambda/n
        (chapter 3, equation 93). As there, numbers that overflow end nothing: what a net learns
        with a rate that is far too large is for the book's reader to see.

        Raises
        ------
        ValueError
            If an x holds NaN or infinity.
        """
        X, targets = self.data.used_inputs, self.data.targets
        rows = layout.Data(X, NO_LABELS, targets, NO_WEIGHTS[targets.dtype])
        size = self.stepper.workspace.rows
        steps = -(-len(order) // size)
        passes = epoch.Passes(
            order=read_only(order[np.newaxis]),
            batch_size=size,
            rates=read_only(np.full((1, steps), eta, np.float64)),
            dropout=read_only(np.zeros(len(self.net.sizes))),
            steps_before=0,
            seed=0,
            endure=1,
            is_sparse=int(is_mostly_zero(X, steps)),
        )
        changed = self.parameters, np.empty((1, 0))  # no state
        rule, report = SGD().rule(0.0, decay, 0.0, 0.0), np.zeros((1, 4))
        for first, last in self.stepper.pace.calls(steps):
            status = self.stepper.make(first, last, rows, passes, rule, changed, report, interrupts)
            with np.errstate(over="ignore", invalid="ignore"):
                self.kept *= np.power(1 - eta * decay, last - first)
            if status == epoch.INPUT_NOT_FINITE:
                refuse_not_finite(self.data.inputs, "x of the examples")
            interrupts.check()

    def outputs(self, data: Examples) -> Array:
        """Return a^L of all examples, (n, n_L)."""
        X = data.inputs
        check_shape("x", X.shape[1], self.net.n_inputs)
        out = np.empty((len(X), self.net.n_outputs))
        parameters = read_only(self.parameters)
        with Interrupts() as interrupts:
            status = interrupts.run(
                2.0 * len(parameters) * len(X),
                lambda: self.stepper.workspace.run(forward, parameters, X, out),
            )
        if status >= 0:
            refuse_not_finite(X, "x of the examples")
        return out


def used_inputs(data: Examples, sizes: tuple[int, ...]) -> Array:
    """Return which inputs the examples use, or raise if they do not fit a net of these sizes."""
    check_shape("x", data.n_inputs, sizes[0])
    check_shape("y", data.targets.shape[1], sizes[-1])
    return data.used


def check_shape(name: str, length: int, expected: int) -> None:
    """Raise unless columns have the length that the net wants."""
    if length != expected:
        got, wanted = f"shape ({length}, 1)", f"columns of shape ({expected}, 1)"
        raise ValueError(message(f"{name} of the examples", got, wanted))


def checked_sizes(weights: Sequence[Array], biases: Sequence[Array]) -> tuple[int, ...]:
    """Return n_0..n_L of the book's two lists, or raise."""
    if len(weights) != len(biases) or not len(weights):
        got = f"{len(weights)} matrices and {len(biases)} bias columns"
        raise ValueError(message("weights", got, "one of each per layer"))
    sizes = [np.shape(weights[0])[-1]]
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        shape = np.shape(w)
        if len(shape) != 2 or shape[1] != sizes[-1]:
            raise ValueError(message(f"weights[{i}]", f"shape {shape}", f"(n, {sizes[-1]})"))
        sizes.append(shape[0])
        if np.shape(b) != (shape[0], 1):
            raise ValueError(message(f"biases[{i}]", f"shape {np.shape(b)}", f"({shape[0]}, 1)"))
    return tuple(int(size) for size in sizes)
