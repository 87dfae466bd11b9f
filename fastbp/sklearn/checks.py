"""scikit-learn's checks, for less where parameters and data are as they nearly always are.

Its own take 1.5 ms, as long as 20 epochs on iris. Whatever is not plainly right goes through them
all the same, and meets the same errors, warnings and conversions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import make_constraint
from sklearn.utils.validation import validate_data

from fastbp.validation import all_finite, Array

__all__ = ["CheckedMLP"]


@cache
def constraints_of(kind: Any) -> dict[str, list[Any]]:
    """Return what is checked of each parameter of a class: objects that scikit-learn makes anew."""
    given: dict[str, Any] = kind._parameter_constraints
    return {
        name: [make_constraint(constraint) for constraint in given[name]]
        for name in kind._get_param_names()
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
    if not y.dtype.isnative:
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


class CheckedMLP(BaseMultilayerPerceptron):
    """What our estimators check of their parameters and data, before those of scikit-learn do."""

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Remember what scikit-learn reads off the constructor's signature at each call."""
        names: list[str] = super()._get_param_names()
        return names

    def _validate_params(self) -> None:
        """Raise scikit-learn's error for a parameter that is not as it wants it."""
        if not constraints_hold(self):
            super()._validate_params()

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        """Check X and y as scikit-learn does; return X, and y as its nets see it."""
        is_new = not (incremental or hasattr(self, "feature_names_in_"))
        is_new = is_new and not (self.warm_start and hasattr(self, "classes_"))
        checked = None
        if is_new and is_classifier(self):
            if type(X) is np.ndarray and X.dtype in (np.float32, np.float64):
                # Once, for the check and the kernels: load_digits returns columns of a wider array.
                X = np.require(X, requirements=["C_CONTIGUOUS", "ALIGNED"])
            checked = plain_labels(X, y)
        if checked is None:
            X, y = super()._validate_input(X, y, incremental, reset)
            return X, y
        self.n_features_in_ = X.shape[1]
        self._label_binarizer, y = checked
        self.classes_ = self._label_binarizer.classes_
        return X, y

    def _validate_validation_set(self, X: Any, y: Any) -> tuple[Any, Array]:
        """Return X_val, and y_val as the net's targets (n, n_L)."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not is_classifier(self),
            dtype=(np.float64, np.float32),
            reset=False,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.ravel()
        if is_classifier(self):
            unseen = np.setdiff1d(y, self.classes_) if y.ndim == 1 else np.empty(0)
            if len(unseen):
                raise ValueError(f"y_val has classes that y has not: {unseen}.")
            is_multilabel = self._label_binarizer.y_type_.startswith("multilabel")
            if y.ndim == 1 and is_multilabel and self.n_outputs_ > 1:
                raise ValueError(f"y_val has 1 output, but y has {self.n_outputs_}.")
            y = self._label_binarizer.transform(y)
        y = y.reshape(len(y), -1)
        if y.shape[1] != self.n_outputs_:
            raise ValueError(f"y_val has {y.shape[1]} outputs, but y has {self.n_outputs_}.")
        self._check_range("y_val", y)
        return X, y

    def _check_range(self, name: str, y: Array) -> None:
        """Raise for targets that the loss is not made for."""
        if self.loss == "poisson" and y.min() < 0:
            raise ValueError(
                f"Some value(s) of {name} are out of the valid range of the loss 'poisson'."
            )
