"""scikit-learn's checks, for less where parameters and data are as they nearly always are.

Its own take 1.5 ms, as long as 20 epochs on iris. Whatever is not plainly right goes through them
all the same, and meets the same errors, warnings and conversions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import make_constraint

from fastbp.validation import all_finite, Array

__all__ = ["constraints_hold", "plain_labels"]


@cache
def constraints_of(kind: type) -> dict[str, list[Any]]:
    """Return what is checked of each parameter of a class: objects that scikit-learn makes anew."""
    given: dict[str, Any] = kind._parameter_constraints  # type: ignore[attr-defined]
    return {
        name: [make_constraint(constraint) for constraint in given[name]]
        for name in kind._get_param_names()  # type: ignore[attr-defined]
        if given.get(name, "no_validation") != "no_validation"
    }


def constraints_hold(estimator: Any) -> bool:
    """Whether all parameters are as scikit-learn wants them."""
    return all(
        any(constraint.is_satisfied_by(getattr(estimator, name)) for constraint in constraints)
        for name, constraints in constraints_of(estimator.__class__).items()
    )


def plain_labels(X: Any, y: Any) -> tuple[LabelBinarizer, Array] | None:
    """Return the fitted binarizer of the labels, and what it makes of them: (n, n_L) of bool.

    None unless X is an array of finite floats, (n, n_0), and y one of integers, (n,), in which each
    of two or more classes comes twice on average: more classes deserve scikit-learn's warning.
    """
    if not (type(X) is np.ndarray and X.ndim == 2 and X.size and X.flags.c_contiguous):
        return None
    if not (X.dtype in (np.float32, np.float64) and X.flags.aligned):
        return None
    if not (type(y) is np.ndarray and y.shape == X.shape[:1] and y.dtype.kind in "iu"):
        return None
    classes = np.unique(y)
    if not 2 <= len(classes) <= len(y) / 2 or not all_finite(X):
        return None
    binarizer = LabelBinarizer()
    binarizer.y_type_ = "binary" if len(classes) == 2 else "multiclass"
    binarizer.sparse_input_ = False
    binarizer.classes_ = classes
    shown = classes[1:] if len(classes) == 2 else classes
    return binarizer, y[:, np.newaxis] == shown
