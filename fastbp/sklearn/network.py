"""What the kernels have to know of an estimator: its net, its data, and how to run it forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from fastbp.architecture import Architecture, HIDDEN
from fastbp.data import NO_LABELS
from fastbp.kernels import layout, losses
from fastbp.kernels.forward import forward
from fastbp.row_weights import NO_WEIGHTS
from fastbp.sklearn.parameters import Parameters
from fastbp.validation import Array, read_only
from fastbp.workspace import Workspace

__all__ = [
    "ACTIVATIONS",
    "NOT_FINITE",
    "Network",
    "check_features",
    "check_outputs",
    "dense",
    "forward_pass",
    "hidden_activations",
    "kernel_data",
    "row_blocks",
]

# scikit-learn has its own names for two of fastbp's activations.
ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}
ACTIVATIONS |= {name: name for name in HIDDEN if name not in ACTIVATIONS.values()}
OUTPUTS = {"identity": "linear", "logistic": "sigmoid", "exp": "exponential", "softmax": "softmax"}
LOSSES = {
    "log_loss": "cross_entropy",
    "squared_error": "quadratic",
    "poisson": "poisson",
    "absolute_error": "absolute",
    "huber": "huber",
}
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may"
    " contain large values and need to be preprocessed."
)
BLOCK_NUMBERS = 2**22  # of a sparse X that are made dense at a time: 32 MB of float64


@dataclass(frozen=True)
class Network(Architecture):
    """An Architecture whose cross-entropy is computed as scikit-learn does, from probabilities."""

    @classmethod
    def of(cls, estimator: Any, sizes: tuple[int, ...], dtype: Any) -> Network:
        """Return the net of an estimator, whose parameters scikit-learn has checked."""
        names = hidden_activations(estimator.activation, len(sizes) - 2)
        return cls(
            sizes=sizes,
            activations=tuple(ACTIVATIONS[name] for name in names),
            output=OUTPUTS[estimator.out_activation_],
            loss=LOSSES[estimator.loss],
            dtype=np.dtype(dtype),
        )

    def plan(
        self, rows: int, threads: int = 1, *, trains: bool = False, keeps_z: bool = False
    ) -> Any:
        """Return the kernels' description of this net, and of an arena (layout.plan)."""
        plan = super().plan(rows, threads, trains=trains, keeps_z=keeps_z)
        return plan._replace(loss=losses.LOG_LOSS) if self.loss == "cross_entropy" else plan


def hidden_activations(activation: str | Any, n_hidden: int) -> list[str]:
    """Return one name for each hidden layer, from a name for all or a sequence of them."""
    if isinstance(activation, str):
        return [activation] * n_hidden
    names = list(activation)
    if len(names) != n_hidden:
        raise ValueError(
            f"activation must be one name or one for each of the {n_hidden} hidden layers, got "
            f"{names}."
        )
    for name in names:
        if name not in list(ACTIVATIONS):  # it may be anything, lists too
            raise ValueError(f"activation must be among {sorted(ACTIVATIONS)}, got {name!r}.")
    return names


def dense(X: Any, dtype: Any) -> Array:
    """Return X, or some rows of a sparse X, as the kernels read it."""
    rows = X.toarray() if scipy.sparse.issparse(X) else X
    return read_only(np.require(rows, dtype, ["C_CONTIGUOUS", "ALIGNED"]))


def row_blocks(X: Any) -> Iterator[slice]:
    """Divide the rows of a sparse X so that no block is large when dense; a dense X is one."""
    n_rows, n_columns = X.shape
    size = max(1, BLOCK_NUMBERS // n_columns) if scipy.sparse.issparse(X) else n_rows
    for first in range(0, n_rows, size):
        yield slice(first, min(first + size, n_rows))


def kernel_data(network: Network, X: Array, y: Array, weights: Array | None) -> Any:
    """Return layout.Data from a dense X, targets (n, n_L) as scikit-learn has them, and weights.

    Of a softmax the targets are one-hot, and their classes all that the kernels need.
    """
    labels, targets = NO_LABELS, np.empty((0, network.n_outputs), network.dtype)
    if network.output == "softmax":
        labels = read_only(np.argmax(y, axis=1).astype(np.int64, copy=False))
    else:
        if y.dtype.kind not in "biuf":
            raise TypeError(f"y: got dtype {y.dtype}, expected numbers")
        targets = np.require(y, network.dtype, ["C_CONTIGUOUS", "ALIGNED"])
    if weights is None:
        weights = NO_WEIGHTS[network.dtype]
    weights = np.require(weights, network.dtype, ["C_CONTIGUOUS", "ALIGNED"])
    return layout.Data(X, labels, read_only(targets), read_only(weights))


def check_features(network: Network, n_features: int) -> None:
    """Raise unless coefs_, which may be somebody's own, are for so many features."""
    if n_features != network.n_inputs:
        raise ValueError(
            f"X has {n_features} features, but coefs_[0] is for {network.n_inputs} features."
        )


def check_outputs(network: Network, n_outputs: int) -> None:
    """Raise unless the net, which may have been fitted to another y, has so many outputs."""
    if n_outputs != network.n_outputs:
        raise ValueError(f"y has {n_outputs} outputs, but the net has {network.n_outputs}.")


def forward_pass(network: Network, workspace: Workspace, parameters: Parameters, X: Any) -> Array:
    """Return the outputs of all rows, (n, n_L); NaN of a row that is not finite."""
    check_features(network, X.shape[1])
    out: Array = np.empty((X.shape[0], network.n_outputs), network.dtype)
    for rows in row_blocks(X):
        block = dense(X[rows], network.dtype)
        if workspace.run(forward, parameters.frozen, block, out[rows]) >= 0:
            # Nobody has checked, as under assume_finite=True, and the kernel has stopped there.
            finite = np.isfinite(block).all(axis=1)
            block = read_only(np.nan_to_num(block, nan=0, posinf=0, neginf=0))
            workspace.run(forward, parameters.frozen, block, out[rows])
            out[rows][~finite] = np.nan
    return out
