"""What a row counts in the mean cost: its own weight, times that of its class."""

from collections.abc import Mapping

import numpy as np

from fastbp.architecture import Architecture
from fastbp.validation import Array, array, integer, message, number, read_only, shown

__all__ = ["NO_WEIGHTS", "row_weights"]

NO_WEIGHTS = {np.dtype(t): read_only(np.empty(0, t)) for t in (np.float32, np.float64)}
MODERATE = 2.0**-20, 2.0**20  # weights whose products with costs are in no danger of overflow


def row_weights(
    net: Architecture, sample_weight: object, class_weight: object, labels: Array, targets: Array
) -> Array:
    """Return one weight a row, read-only (batch,) of the net's dtype; an empty array: all are 1.

    labels and targets are those of data.labels_and_targets.
    """
    if sample_weight is None and class_weight is None:
        return NO_WEIGHTS[net.dtype]
    weights = sample_weights(sample_weight, max(len(labels), len(targets)))
    if class_weight is not None:
        of_rows = class_weights(class_weight, labels, targets, net)
        weights = moderate(of_rows * weights if len(weights) else of_rows)
        if not weights.any():
            raise ValueError(
                message("class_weight", "weight 0 for every row", "a positive weight for some row")
            )
    with np.errstate(under="ignore"):
        return read_only(weights.astype(net.dtype, copy=False))


def sample_weights(value: object, n: int) -> Array:
    """Return one weight a row, float64 (batch,), or an empty array for None."""
    if value is None:
        return np.empty(0)
    name = "sample_weight"
    weights = array(name, value, np.float64)
    if weights.shape != (n,):
        raise ValueError(message(name, f"shape {weights.shape}", f"({n},), one weight a row"))
    low, high = weights.min(), weights.max()
    if not (low >= 0 and np.isfinite(high)):
        raise ValueError(
            message(name, f"numbers in [{low:g}, {high:g}]", "finite weights of at least 0")
        )
    if high == 0:
        raise ValueError(message(name, "only zeros", "a positive weight for some row"))
    return moderate(weights)


def moderate(weights: Array) -> Array:
    """Scale weights of an extreme size by a power of two, so that no product of them overflows.

    Only their ratios matter, and a power of two changes no digit of them.
    """
    high = weights.max()
    if high == 0 or MODERATE[0] <= high <= MODERATE[1]:
        return weights
    scaled: Array = np.ldexp(weights, -int(np.frexp(high)[1]))
    return scaled


def class_weights(value: object, labels: Array, targets: Array, net: Architecture) -> Array:
    """Return the weight of each row's class, float64 (batch,).

    "balanced" weighs a class by n / (n_classes * n_rows_of_the_class), where n_classes counts the
    classes that occur in y: King and Zeng 2001, as scikit-learn does.
    """
    name = "class_weight"
    if not len(labels):
        labels = targets[:, 0].astype(np.int64)
        if not net.is_binary_classifier or not np.array_equal(labels, targets[:, 0]):
            got = "y given as targets" if net.is_classifier else "a net that is no classifier"
            raise ValueError(message(name, got, "integer labels of shape (batch,)"))
    n_classes = max(net.n_outputs, 2)
    weights = np.ones(n_classes)
    if isinstance(value, str) and value == "balanced":
        counts = np.bincount(labels, minlength=n_classes)
        occur = counts > 0
        weights[occur] = len(labels) / (occur.sum() * counts[occur])
    elif isinstance(value, Mapping):
        for label, weight in value.items():
            index = integer(f"{name} key", label, 0, n_classes - 1)
            weights[index] = number(f"{name}[{index}]", weight)
    else:
        expected = "'balanced' or a dict from class index to weight"
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(message(name, shown(value), expected))
    return moderate(weights)[labels]
