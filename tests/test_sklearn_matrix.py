"""Every solver with every activation, trained in every way, on four sets of data: the same model.

Each combination is run on one of the sets, so that any two settings of the four kinds meet. With
FASTBP_TEST_ALL=1 in the environment all of them are run on all sets, in float32 too.
"""

import os
from itertools import product

import numpy as np
import pytest
from sklearn_pairs import ACTIVATIONS, assert_same_model, both, FLOAT32, problem, SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DATA = ("iris", "digits", "diabetes", "mnist")
EPOCHS = 20


def labels(y):
    """Two labels that may hold at once."""
    return np.stack([y > np.median(y), np.round(y) % 2 == 0], axis=1).astype(int)


def fit_twice(estimator, X, y):
    for _ in range(2):
        estimator.fit(X, y)


def fit_parts(estimator, X, y):
    of_first = {"classes": np.unique(y)} if hasattr(estimator, "predict_proba") else {}
    for number, rows in enumerate(np.array_split(np.arange(len(X)), 4) * (EPOCHS // 4)):
        estimator.partial_fit(X[rows], y[rows], **({} if number else of_first))


def fit_weighted(estimator, X, y):
    weights = np.random.default_rng(1).integers(0, 4, len(X)).astype(float)
    estimator.fit(X, y, sample_weight=weights)


def fit(estimator, X, y):
    estimator.fit(X, y)


WAYS = {  # parameters, how to fit, and which estimator and targets, if not those of the data
    "early stopping": ({"early_stopping": True}, fit, None, None),
    "warm start": ({"warm_start": True, "max_iter": EPOCHS // 2}, fit_twice, None, None),
    "partial_fit": ({}, fit_parts, None, None),
    "sample_weight": ({}, fit_weighted, None, None),
    "multilabel": ({}, fit, "MLPClassifier", labels),
    "regression": ({}, fit, "MLPRegressor", lambda y: (y - y.mean()) / y.std()),
    "odd batches": ({"batch_size": 37}, fit, None, None),  # divides no number of rows
}

if os.environ.get("FASTBP_TEST_ALL"):
    CASES = list(product(SOLVERS, ACTIVATIONS, WAYS, DATA, ("float64", "float32")))
else:
    CASES = [
        (solver, activation, way, DATA[(s + a + w) % len(DATA)], "float64")
        for s, solver in enumerate(SOLVERS)
        for a, activation in enumerate(ACTIVATIONS)
        for w, way in enumerate(WAYS)
    ]


@pytest.mark.parametrize(("solver", "activation", "way", "data", "dtype"), CASES)
def test_the_same_model(solver, activation, way, data, dtype):
    X, y = problem(data)
    X = X.astype(dtype)
    parameters, train, kind, targets = WAYS[way]
    parameters = {"hidden_layer_sizes": (16, 8), "max_iter": EPOCHS, **parameters}
    if (solver, way) == ("lbfgs", "partial_fit"):
        parameters["max_iter"] = 1  # of each part: scikit-learn's regressor, alone, lets it pass
    elif (solver, dtype) == ("lbfgs", "float32"):
        # Its line searches amplify rounding: scikit-learn's own models, of an X moved by one unit
        # in the last place, are up to 1e-4 apart after 6 iterations, and 2e-2 after 20.
        parameters["max_iter"] = 6 if way != "warm start" else 3
    y = y if targets is None else targets(y)
    models = both(data, kind, solver=solver, activation=activation, **parameters)
    assert hasattr(models[0], "partial_fit") == hasattr(models[1], "partial_fit")
    if way == "partial_fit" and not hasattr(models[0], "partial_fit"):
        return
    for model in models:
        train(model, X, y)
    rtol = FLOAT32 if dtype == "float32" else 1e-6 if solver == "lbfgs" else 1e-9
    assert_same_model(*models, X, rtol)
