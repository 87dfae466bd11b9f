"""X, y and weights as the kernels read them, and what they write to, checked against a net.

NaN and infinity in X are found by the kernels while they read it, and then refused by
`refuse_not_finite`: a pass over X beforehand (`require_finite`) would cost more than all the other
checks together.
"""

from typing import Any, NoReturn

import numpy as np

from fastbp.architecture import Architecture
from fastbp.kernels import checks, layout
from fastbp.row_weights import row_weights
from fastbp.validation import all_finite, Array, array, message, read_only, shown

__all__ = [
    "NO_LABELS",
    "checked_out",
    "class_indices",
    "dataset",
    "features",
    "is_mostly_zero",
    "parameter_vector",
    "refuse_not_finite",
    "require_finite",
    "require_finite_parameters",
    "validation_dataset",
]

NO_LABELS = read_only(np.empty(0, np.int64))
# Where so much of X is 0 lists gain: with 0.7 up to a third, with 0.9 twice the speed. To turn
# weights as a call begins, and back, takes as long as a step or two, so it is for passes of some.
SPARSE_SHARE, SPARSE_STEPS, SPARSE_SAMPLES = 0.7, 16, 32
SUM_TOLERANCE = 1e-3  # targets of softmax add up to 1 within this, as float16 ones do


def features(X: object, n_inputs: int, dtype: "np.dtype[Any]", name: str = "X") -> Array:
    """Return X as a read-only array (batch, n_0) of the net's dtype; a right one is not copied."""
    if type(X) is np.ndarray and X.dtype is dtype and X.ndim == 2:
        flags = X.flags
        if flags.c_contiguous and flags.aligned and X.shape[1] == n_inputs and X.shape[0]:
            return read_only(X)
    rows = array(name, X, dtype)
    expected = f"shape (batch, {n_inputs})"
    if rows.ndim != 2 or rows.shape[1] != n_inputs:
        advice = ""
        if rows.ndim == 1 and n_inputs == 1:
            advice = "a column is X[:, None]"
        elif rows.ndim == 1 and len(rows) == n_inputs:
            advice = "one row is X[None, :]"
        raise ValueError(message(name, f"shape {rows.shape}", expected, advice))
    if not len(rows):
        raise ValueError(message(name, "no rows", "at least one"))
    return read_only(rows)


def is_mostly_zero(X: Array, steps: int) -> bool:
    """Whether X is best trained on by what is not 0 in its rows (kernels/sparse_rows.py).

    Some rows tell, so that a pass of so many steps takes the same way in each of its calls.
    """
    if steps < SPARSE_STEPS:
        return False
    some = X[:: -(-len(X) // SPARSE_SAMPLES)]
    return bool(np.count_nonzero(some) <= (1 - SPARSE_SHARE) * some.size)


def checked_out(value: object, shape: tuple[int, ...], net: Architecture, *read: Array) -> Array:
    """Return the argument `out` as kernels write to it; it must not overlap the arrays `read`."""
    expected = f"a {net.dtype} array of shape {shape}"
    if not isinstance(value, np.ndarray):
        raise TypeError(message("out", shown(value), expected))
    if value.dtype != net.dtype:
        raise TypeError(message("out", f"dtype {value.dtype}", expected))
    if value.shape != shape:
        raise ValueError(message("out", f"shape {value.shape}", expected))
    flags = value.flags
    if not (flags.c_contiguous and flags.aligned):
        raise ValueError(message("out", "an array with gaps", "a C-contiguous, aligned one"))
    if not flags.writeable:
        advice = "open a memmap with mode 'r+' or 'w+'" if isinstance(value, np.memmap) else ""
        raise ValueError(message("out", "a read-only array", "one to write to", advice))
    # All of them are contiguous, so that their bounds tell.
    if any(np.may_share_memory(value, other) for other in read):
        got = "an array that shares memory with X or the net's parameters"
        raise ValueError(message("out", got, "one of its own"))
    return np.asarray(value)


def parameter_vector(net: Architecture, name: str, values: object) -> Array:
    """Return a finite vector as long as the parameters, of the net's dtype, or raise."""
    vector = array(name, values, net.dtype)
    if vector.shape != (net.n_parameters,):
        raise ValueError(message(name, f"shape {vector.shape}", f"({net.n_parameters},)"))
    if not all_finite(vector):
        got = f"NaN, infinity or a number too large for {net.dtype}"
        raise ValueError(message(name, got, "finite numbers"))
    return vector


def require_finite(X: Array, name: str = "X") -> None:
    """Raise now what a kernel would find in a read-only X only when something has changed."""
    if checks.first_bad_row(X) >= 0:
        refuse_not_finite(X, name)


def refuse_not_finite(X: Array, name: str = "X") -> NoReturn:
    """Raise for a read-only X in which a kernel met NaN or infinity; name the first such row."""
    row = checks.first_bad_row(X)
    got = f"NaN, infinity or a number too large for {X.dtype} in row {row}"
    advice = "drop, fill in or scale such values"
    raise ValueError(message(name, got, "finite numbers", advice)) from None


def require_finite_parameters(parameters: Array, before: str = "training") -> None:
    """Raise if a net that was to be trained held NaN or infinity: a live view takes anything."""
    if not all_finite(parameters):
        got = f"NaN or infinity in the net before {before}"
        advice = "assign net.parameters, or make or load another net"
        raise ValueError(message("parameters", got, "finite numbers", advice)) from None


def dataset(
    net: Architecture,
    X: object,
    y: object,
    sample_weight: object = None,
    class_weight: object = None,
    names: tuple[str, str] = ("X", "y"),
) -> Any:
    """Return layout.Data: X and labels or targets, of the same length, and perhaps weights."""
    rows = features(X, net.n_inputs, net.dtype, names[0])
    labels, targets = labels_and_targets(net, y, names[1])
    n_targets = max(len(labels), len(targets))
    if n_targets != len(rows):
        raise ValueError(message(names[1], f"{n_targets} rows", f"{len(rows)}, as {names[0]} has"))
    weights = row_weights(net, sample_weight, class_weight, labels, targets)
    return layout.Data(rows, labels, targets, weights)


def validation_dataset(net: Architecture, value: object) -> Any:
    """Return layout.Data, or None, from the argument validation_data."""
    if value is None:
        return None
    name = "validation_data"
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(message(name, shown(value), "a pair (X, y)"))
    names = (f"X of {name}", f"y of {name}")
    data = dataset(net, value[0], value[1], names=names)
    # Found only after an epoch, it would be too late to leave everything as it was.
    require_finite(data.X, names[0])
    return data


def labels_and_targets(net: Architecture, y: object, name: str) -> tuple[Array, Array]:
    """Return (labels, targets), read-only; one of them is empty.

    Integer labels (batch,) stay integers where the net has several outputs; with one output they
    are its targets, a column.
    """
    raw = y if type(y) is np.ndarray and y.dtype.kind in "biuf" else array(name, y, None)
    shape = raw.shape
    if raw.ndim == 0 or (raw.ndim <= 2 and not len(raw)):
        raise ValueError(message(name, f"shape {shape}", "one row for each row of X"))
    if raw.ndim == 1 and net.n_outputs > 1:
        empty = np.empty((0, net.n_outputs), net.dtype)
        return read_only(class_indices(raw, net.n_outputs, name)), read_only(empty)
    if raw.ndim == 1 or (raw.ndim == 2 and shape[1] == net.n_outputs):
        targets = array(name, raw, net.dtype).reshape(len(raw), net.n_outputs)
        check_targets(targets, net, name)
        return NO_LABELS, read_only(targets)
    expected = f"targets of shape (batch, {net.n_outputs})"
    expected += " or (batch,)" if net.n_outputs == 1 else " or integer labels of shape (batch,)"
    advice = "labels in a column are y.ravel()" if raw.ndim == 2 and shape[1] == 1 else ""
    raise ValueError(message(name, f"shape {shape}", expected, advice))


def class_indices(raw: Array, n_classes: int, name: str) -> Array:
    """Return labels as int64, each in 0..n_classes-1; 3.0 is read as 3."""
    expected = f"integer labels in 0..{n_classes - 1}"
    low, high = raw.min(), raw.max()
    if not (low >= 0 and high < n_classes):  # also where they are NaN
        raise ValueError(message(name, f"labels in {low}..{high}", expected))
    with np.errstate(invalid="ignore"):
        labels = np.require(raw, np.int64, ["C_CONTIGUOUS", "ALIGNED"])
    if raw.dtype.kind == "f" and not np.array_equal(labels, raw):
        fraction = raw[np.flatnonzero(labels != raw)[0]]
        advice = f"targets of several outputs have shape (batch, {n_classes})"
        raise ValueError(message(name, f"the label {fraction}", expected, advice))
    return labels


def check_targets(targets: Array, net: Architecture, name: str) -> None:
    """Refuse targets (batch, n_L) that are not finite, or that the loss has no meaning for."""
    if not all_finite(targets):
        row = checks.first_bad_row(read_only(targets))
        got = f"NaN, infinity or a number too large for {net.dtype} in row {row}"
        raise ValueError(message(name, got, "finite numbers"))
    if net.loss not in ("cross_entropy", "poisson"):
        return
    low, high = targets.min(), targets.max()
    bounds = f"numbers in [{low:g}, {high:g}]"
    if net.loss == "cross_entropy" and not (low >= 0 and high <= 1):
        raise ValueError(message(name, bounds, "probabilities in [0, 1] for cross_entropy"))
    if net.loss == "poisson" and low < 0:
        raise ValueError(message(name, bounds, "numbers of at least 0 for poisson"))
    if net.loss == "cross_entropy" and net.output == "softmax":
        sums = targets.sum(axis=1)
        row = int(np.argmax(np.abs(sums - 1)))
        if abs(sums[row] - 1) > SUM_TOLERANCE:
            got = f"probabilities that add up to {sums[row]:g} in row {row}"
            advice = "use output='sigmoid' where several classes may hold at once"
            raise ValueError(message(name, got, "rows that add up to 1 for softmax", advice))
