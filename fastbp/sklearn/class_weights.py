"""class_weight: what it may name, and the weight that it gives each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from fastbp.validation import Array

__all__ = ["weights_of_classes"]


def weights_of_classes(class_weight: Any, classes: Any, labels: Array) -> Array:
    """Return the weight of each row's class; 1 for a class that class_weight does not name.

    The labels need not have all of the classes: they may be those of a batch.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
    classes : sequence
        What a dict may name. Of several columns of labels, those of each are 0 and 1.
    labels : ndarray, (n,) or (n, n_outputs)

    Raises
    ------
    ValueError
        If a dict names another class, or a weight is not finite.
    """
    several = isinstance(class_weight, list) and labels.ndim == 2
    if several and len(class_weight) == labels.shape[1]:
        columns = zip(class_weight, labels.T, strict=True)
        class_weight = [named(weights, (0, 1), column) for weights, column in columns]
    elif isinstance(class_weight, dict) and labels.ndim == 1:
        class_weight = named(class_weight, classes, labels)
    weights: Array = compute_sample_weight(class_weight, labels)
    return weights


def named(class_weight: Any, classes: Any, labels: Array) -> Any:
    """Return the weights of those classes that the labels have."""
    known, present = np.asarray(classes).tolist(), set(np.unique(labels).tolist())
    unknown = [name for name in class_weight if name not in known]
    if unknown:
        raise ValueError(f"class_weight names {unknown}, expected some of {known}")
    for name, weight in class_weight.items():
        if not np.isfinite(weight):
            raise ValueError(
                f"class_weight: got {weight} for class {name!r}, expected a finite number"
            )
    return {name: weight for name, weight in class_weight.items() if name in present}
