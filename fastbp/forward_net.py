"""ForwardNet: parameters, and the outputs and scores computed from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fastbp.architecture import Architecture
from fastbp.data import checked_out, dataset, features, parameter_vector, refuse_not_finite
from fastbp.evaluation import ClassifierScores, evaluate, RegressionScores
from fastbp.guard import Guard
from fastbp.kernels import layout
from fastbp.kernels.forward import forward
from fastbp.validation import Array, message, read_only
from fastbp.workspace import Workspace

__all__ = ["ForwardNet"]


class ForwardNet:
    """The part of MLP that goes forward, and leaves the parameters as they are."""

    def __init__(self, architecture: Architecture) -> None:
        """Make a net whose parameters are all 0."""
        self._architecture = architecture
        self._parameters: Array = layout.aligned_zeros(
            architecture.n_parameters, architecture.dtype
        )
        self._frozen = read_only(self._parameters)
        slices = layout.parameter_slices(architecture.sizes)
        shapes = zip(architecture.sizes[1:], architecture.sizes[:-1], strict=True)
        self._weights = tuple(
            self._parameters[weights].reshape(shape)
            for (weights, _), shape in zip(slices, shapes, strict=True)
        )
        self._biases = tuple(self._parameters[biases] for _, biases in slices)
        self._workspace = Workspace(architecture)
        self._guard = Guard()

    @property
    def architecture(self) -> Architecture:
        """Sizes, activations, output, loss and dtype, as one immutable description."""
        return self._architecture

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer, inputs first."""
        return self._architecture.sizes

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return self._architecture.n_parameters

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._architecture.dtype

    @property
    def parameters(self) -> Array:
        """All weights and biases, live: W^1, b^1, W^2, b^2, ..., (n_parameters,).

        What is written into the vector changes the net; assigning a vector copies it in.
        """
        return self._parameters

    @parameters.setter
    def parameters(self, values: npt.ArrayLike) -> None:
        self._guard.check()
        self._parameters[:] = parameter_vector(self._architecture, "parameters", values)

    @property
    def weights(self) -> tuple[Array, ...]:
        """Live views of W^1..W^L: weights[l-1] is W^l, (n_l, n_(l-1)), w_jk from k to j.

        A tuple takes no `net.weights[0] *= 0.5`: write `net.weights[0][:] *= 0.5`.
        """
        return self._weights

    @property
    def biases(self) -> tuple[Array, ...]:
        """Live views of b^1..b^L: biases[l-1] is b^l, (n_l,)."""
        return self._biases

    def forward(self, X: npt.ArrayLike, *, out: Array | None = None) -> Array:
        """Return the output activations a^L.

        Parameters
        ----------
        X : array-like of float, (batch, n_0)
            Not copied where it is C-contiguous and of the net's dtype, so it may be a
            numpy.memmap larger than the memory; see "Large data" in the README.
        out : ndarray of the net's dtype, (batch, n_L), optional
            Where to write them, C-contiguous: for instance a numpy.memmap.

        Returns
        -------
        ndarray of the net's dtype, (batch, n_L)
            `out`, where it was given.

        Raises
        ------
        ValueError
            If X has another shape, no rows, or a NaN or infinity: some rows of `out` before that
            one have been written then. If `out` has another shape, gaps, is read-only, or
            overlaps X or the parameters.
        TypeError
            If X does not hold real numbers, or `out` is no array of the net's dtype.
        RuntimeError
            If another thread is training this net.

        Examples
        --------
        >>> from fastbp import MLP
        >>> MLP([3, 4, 2], seed=0).forward([[0.1, 0.2, 0.3]]).shape
        (1, 2)
        """
        # One row takes a few microseconds, so this method calls as little as it can.
        guard = self._guard
        reading = guard.trainings if guard.owner is None else guard.check()
        net = self._architecture
        rows = features(X, net.sizes[0], net.dtype)
        shape = rows.shape[0], net.sizes[-1]
        if out is None:
            written = out = np.empty(shape, net.dtype)
        else:
            written = checked_out(out, shape, net, rows, self._parameters)
        bad_row = self._workspace.run(forward, self._frozen, rows, written)
        if bad_row >= 0:
            refuse_not_finite(rows)
        if guard.trainings != reading:
            guard.check(reading)
        return out

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return class indices of a classifier; else what forward returns.

        A classifier has a softmax output, or one sigmoid output with the cross_entropy loss, which
        predicts class 1 where it is above 1/2.

        Parameters
        ----------
        X : array-like of float, (batch, n_0)

        Returns
        -------
        ndarray of int64, (batch,), or of the net's dtype, (batch, n_L)

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `forward`.
        ArithmeticError
            If a classifier's output is not a number: see `predict_proba`.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([2, 2])
        >>> net.parameters = [1, 0, 0, 1, 0, 0]  # W^1 is the identity, b^1 is 0
        >>> net.predict([[0.3, 0.1], [0.2, 0.4]])
        array([0, 1])
        """
        if not self._architecture.is_classifier:
            return self.forward(X)
        out = self._probabilities(X)
        if self._architecture.is_binary_classifier:
            return (out[:, 0] > 0.5).astype(np.int64)
        classes: Array = np.argmax(out, axis=1).astype(np.int64, copy=False)
        return classes

    def predict_proba(self, X: npt.ArrayLike, *, out: Array | None = None) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of float, (batch, n_0)
        out : ndarray of the net's dtype, (batch, classes), optional
            As in `forward`.

        Returns
        -------
        ndarray of the net's dtype, (batch, classes)
            `out`, where it was given. One sigmoid output makes two columns, for classes 0 and 1.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `forward`; and if the net is no classifier (see `predict`).
        ArithmeticError
            If an output is not a number: from a row of X so large that z overflows, or from a net
            whose parameters are not finite.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([2, 1], output="sigmoid")
        >>> net.parameters = [0, 0, 0]
        >>> net.predict_proba([[0.3, 0.1]])
        array([[0.5, 0.5]], dtype=float32)
        """
        net = self._architecture
        if not net.is_classifier:
            got = f"a net with output {net.output!r} and loss {net.loss!r}"
            expected = "a classifier: softmax, or one sigmoid output with cross_entropy"
            raise ValueError(message("predict_proba", got, expected, "use forward"))
        if not net.is_binary_classifier:
            return self._probabilities(X, out)
        rows = features(X, net.n_inputs, net.dtype)
        shape = len(rows), 2
        if out is None:
            out = np.empty(shape, net.dtype)
        else:
            checked_out(out, shape, net, rows, self._parameters)
        out[:, 1:] = self._probabilities(rows)
        np.subtract(1, out[:, 1], out=out[:, 0])
        return out

    def _probabilities(self, X: npt.ArrayLike, out: Array | None = None) -> Array:
        """Return a classifier's outputs; its largest would be no class if they were NaN."""
        out = self.forward(X, out=out)
        # NaN fills its row, and a sum. One row takes a few microseconds: it has no time for a sum.
        if math.isnan(out.item(0) if len(out) == 1 else np.add.reduce(out[:, 0])):
            row = np.flatnonzero(np.isnan(out).any(axis=1))[0]
            raise ArithmeticError(
                f"the net's output is not a number in row {row} of X: these inputs are too large "
                "for it, or its parameters are not finite; scale X to mean 0 and variance 1"
            )
        return out

    def evaluate(self, X: npt.ArrayLike, y: npt.ArrayLike) -> ClassifierScores | RegressionScores:
        """Return the mean cost, and the accuracy or R^2: ``loss, accuracy = net.evaluate(X, y)``.

        Parameters
        ----------
        X : array-like of float, (batch, n_0)
        y : array-like
            Integer labels (batch,), read as one-hot where there are several outputs; or targets
            (batch, n_L), and (batch,) for one output.

        Returns
        -------
        named tuple (loss, accuracy) or (loss, r2)
            Accuracy for classifiers (see `predict`) and wherever y are labels of several outputs.
            R^2 is averaged over the outputs.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            As `forward`, for either argument, and where their lengths differ.

        Examples
        --------
        >>> from fastbp import MLP
        >>> net = MLP([1, 1], output="linear", loss="quadratic")
        >>> net.parameters = [2, 0]
        >>> net.evaluate([[1.0], [2.0]], [2.0, 5.0])  # outputs 2 and 4
        RegressionScores(loss=0.25, r2=0.7777777777777778)
        """
        reading = self._guard.check()
        data = dataset(self._architecture, X, y)
        scores = evaluate(self._architecture, self._workspace, self._frozen, data)
        self._guard.check(reading)
        return scores
