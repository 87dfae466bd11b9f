"""What scikit-learn checks our estimators' parameters against, and which go together."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from fastbp.schedules import Schedule
from fastbp.sklearn.network import ACTIVATIONS
from fastbp.sklearn.optimizer import SOLVERS

__all__ = ["CLASSIFIER", "REGRESSOR", "refuse_combinations"]

POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")

SHARED: dict[str, list[Any]] = {
    "activation": [StrOptions(set(ACTIVATIONS)), list, tuple],
    "solver": [StrOptions({"lbfgs", *SOLVERS})],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
    "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
    "l1": [NOT_NEGATIVE],
    "weight_decay": [NOT_NEGATIVE],
    "clip_norm": [POSITIVE, None],
    "max_norm": [POSITIVE, None],
    "stopping_monitor": [StrOptions({"score", "loss"})],
    "callbacks": [list, tuple, None],
    "max_seconds": [POSITIVE, None],
    "n_threads": [Interval(Integral, 1, None, closed="left"), None],
}
CLASSIFIER = {**SHARED, "class_weight": [StrOptions({"balanced"}), dict, list, None]}
REGRESSOR = {
    **SHARED,
    "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber"})],
}

# Parameters that only steps can follow; 0, None and empty ones ask for nothing.
OF_STEPS = "dropout", "clip_norm", "max_norm", "callbacks", "max_seconds"


def refuse_combinations(estimator: Any, incremental: bool, has_validation: bool) -> None:
    """Raise for parameters that would silently do nothing."""
    if estimator.solver == "lbfgs":
        values = {name: getattr(estimator, name) for name in OF_STEPS}
        names = [name for name, value in values.items() if np.any(value)]
        if isinstance(estimator.learning_rate, Schedule):
            names.append("learning_rate (a schedule)")
        if has_validation:
            names.append("X_val")
        if names:
            raise ValueError(
                f"solver='lbfgs' does not support {', '.join(names)}; choose among "
                f"{', '.join(SOLVERS)}."
            )
    if incremental and getattr(estimator, "class_weight", None) == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported by partial_fit, which does not see all rows: "
            "pass the weights that compute_class_weight('balanced', classes=classes, y=y) finds "
            "as a dict."
        )
