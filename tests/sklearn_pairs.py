"""scikit-learn's estimators and ours, with the same parameters, and what must be equal of them."""

from functools import cache

import numpy as np
import sklearn.neural_network
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.preprocessing import scale

from fastbp.datasets import load_mnist_sample
from fastbp.sklearn import MLPClassifier, MLPRegressor

SOLVERS = ("sgd", "adam", "lbfgs")
FLOAT32 = 1e-3  # what models of float32 may be apart
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


@cache
def problem(name):
    """(X, y), of float64."""
    if name == "iris":
        return load_iris(return_X_y=True)
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return X[:600] / 16, y[:600]
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        return scale(X), scale(y)
    sample = load_mnist_sample()
    return sample.train_images[:2000] / 255, sample.train_labels[:2000]


def both(name, kind=None, **parameters):
    """Scikit-learn's estimator and ours, with the same parameters, not fitted."""
    kind = kind or ("MLPRegressor" if name == "diabetes" else "MLPClassifier")
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[kind]
    parameters = {"hidden_layer_sizes": (20, 10), "max_iter": 20, "random_state": 3, **parameters}
    return getattr(sklearn.neural_network, kind)(**parameters), ours(**parameters)


def assert_same_model(theirs, ours, X, rtol=1e-9):
    """Equal to rtol, of a layer's largest coefficient where one is small beside it."""
    assert ours.n_iter_ == theirs.n_iter_
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())
    assert_allclose(ours.loss_, theirs.loss_, rtol=rtol)
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"):
        assert hasattr(ours, name) == hasattr(theirs, name)
        expected = getattr(theirs, name, None)
        if expected is None:
            assert getattr(ours, name, None) is None
        else:
            assert_allclose(getattr(ours, name), expected, rtol=rtol, atol=rtol)
    assert (ours.t_, ours.out_activation_) == (theirs.t_, theirs.out_activation_)
    assert (ours.n_layers_, ours.n_outputs_) == (theirs.n_layers_, theirs.n_outputs_)
    predicted, expected = ours.predict(X), theirs.predict(X)
    assert predicted.dtype == expected.dtype
    if hasattr(ours, "classes_"):
        # Labels of a probability that is 0.5 to rounding may differ; of float64 none was ever seen.
        assert np.mean(predicted != expected) <= (rtol if rtol >= FLOAT32 else 0)
        predicted, expected = ours.predict_proba(X), theirs.predict_proba(X)
    # Exponentials of the outputs multiply their relative error.
    assert_allclose(predicted, expected, rtol=max(1e-6, rtol), atol=rtol)


def same_fit(name, X=None, y=None, rtol=1e-9, sample_weight=None, **parameters):
    """Fit both, compare, and return them."""
    if X is None:
        X, y = problem(name)
    theirs, ours = both(name, **parameters)
    for estimator in (theirs, ours):
        estimator.fit(X, y, sample_weight=sample_weight)
    assert_same_model(theirs, ours, X, 1e-6 if ours.solver == "lbfgs" else rtol)
    return theirs, ours
