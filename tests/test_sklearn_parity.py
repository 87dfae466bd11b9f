"""Our estimators and scikit-learn's, side by side: the same draws, the same model to rounding."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn_pairs import assert_same_model, both, FLOAT32, problem, same_fit, SOLVERS

from fastbp import pace
from fastbp.sklearn import epochs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("name", ["iris", "digits", "diabetes"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": 37},  # divides none of the numbers of rows
        {"batch_size": 1, "max_iter": 3},
        {"batch_size": 32, "shuffle": False, "alpha": 0.5},
        {"early_stopping": True},
        {"early_stopping": True, "tol": 0.05, "n_iter_no_change": 2, "max_iter": 200},
        {"early_stopping": True, "validation_fraction": 0.3, "activation": "tanh"},
        {"tol": 0.1, "n_iter_no_change": 3, "max_iter": 200},
        {"hidden_layer_sizes": [], "alpha": 0},
        {"hidden_layer_sizes": 7, "learning_rate_init": 0.02},
        {"beta_1": 0, "beta_2": 0.9, "epsilon": 1e-3},
    ],
    ids=str,
)
def test_settings(parameters, solver, name):
    same_fit(name, solver=solver, **parameters)


@pytest.mark.parametrize("name", ["iris", "diabetes"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"learning_rate": "invscaling", "learning_rate_init": 0.5},
        {"learning_rate": "invscaling", "power_t": 0.2, "learning_rate_init": 0.1},
        {"learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 0.01, "max_iter": 200},
        {"learning_rate": "adaptive", "early_stopping": True, "max_iter": 200, "tol": 0.01},
        {"momentum": 0},
        {"momentum": 0.5, "nesterovs_momentum": False},
        {"momentum": 1.0, "learning_rate_init": 1e-4},
    ],
    ids=str,
)
def test_settings_of_sgd(parameters, name):
    same_fit(name, solver="sgd", **parameters)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["iris", "diabetes"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start(solver, name, early_stopping):
    X, y = problem(name)
    parameters = {"solver": solver, "warm_start": True, "early_stopping": early_stopping}
    theirs, ours = both(name, max_iter=8, **parameters)
    for _ in range(3):
        theirs.fit(X, y)
        ours.fit(X, y)
        assert_same_model(theirs, ours, X, 1e-6 if solver == "lbfgs" else 1e-9)


@pytest.mark.parametrize("name", ["iris", "digits", "diabetes"])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit(solver, name):
    X, y = problem(name)
    theirs, ours = both(name, solver=solver, batch_size=19)
    first = {} if name == "diabetes" else {"classes": np.unique(y)}
    for part in np.array_split(np.random.default_rng(0).permutation(len(X)), 5):
        theirs.partial_fit(X[part], y[part], **first)
        ours.partial_fit(X[part], y[part], **first)
        first = {}
        assert_same_model(theirs, ours, X)
        assert ours._optimizer.learning_rate == pytest.approx(theirs._optimizer.learning_rate)


@pytest.mark.parametrize("name", ["iris", "diabetes"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"batch_size": 45}], ids=str)
def test_sample_weight(parameters, solver, name):
    weights = np.random.default_rng(1).integers(0, 4, len(problem(name)[0])).astype(float)
    same_fit(name, solver=solver, sample_weight=weights, **parameters)


def test_a_batch_without_weight_is_the_same_error():
    X, y = problem("iris")
    weights = np.zeros(len(X))
    weights[:3] = 1
    for estimator in both("iris", batch_size=10):
        with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
            estimator.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_multilabel(solver, early_stopping):
    X, y = problem("digits")
    labels = np.stack([y % 2, y > 4, y == 3], axis=1).astype(int)
    same_fit("digits", X, labels, solver=solver, early_stopping=early_stopping)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_two_classes(solver, early_stopping):
    X, y = problem("iris")
    labels = np.where(y == 1, "versicolor", "another")
    if early_stopping and sklearn.__version__.startswith("1.7."):
        labels = (y == 1).astype(int)  # its early stopping fails on words
    same_fit("iris", X, labels, solver=solver, early_stopping=early_stopping)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_several_outputs(solver, early_stopping):
    X, y = problem("diabetes")
    targets = np.stack([y, y**2, np.sin(y)], axis=1)
    same_fit("diabetes", X, targets, solver=solver, early_stopping=early_stopping)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sample_weight", [False, True])
def test_poisson(solver, sample_weight):
    X, y = problem("diabetes")
    counts = np.floor(np.exp(y))
    weights = np.linspace(0.5, 2, len(X)) if sample_weight else None
    same_fit("diabetes", X, counts, solver=solver, loss="poisson", sample_weight=weights)


@pytest.mark.parametrize("name", ["iris", "digits", "diabetes"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_float32(solver, name):
    X, y = problem(name)
    # Line searches of L-BFGS amplify rounding: see test_sklearn_matrix.py.
    theirs, ours = both(name, solver=solver, max_iter=6 if solver == "lbfgs" else 20)
    for estimator in (theirs, ours):
        estimator.fit(X.astype(np.float32), y)
    assert_same_model(theirs, ours, X.astype(np.float32), FLOAT32)
    for wider in (X, X.astype(np.float32)):  # scikit-learn predicts in the wider type of both
        predict = "predict_proba" if hasattr(ours, "classes_") else "predict"
        predicted, expected = getattr(ours, predict)(wider), getattr(theirs, predict)(wider)
        assert predicted.dtype == expected.dtype
        assert_allclose(predicted, expected, rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("container", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_rows(solver, container, early_stopping, monkeypatch):
    # Blocks of some rows, as a large X would have, and a smaller last one.
    monkeypatch.setattr("fastbp.sklearn.network.BLOCK_NUMBERS", 64 * 170)
    X, y = problem("digits")
    parameters = {"solver": solver, "batch_size": 50, "early_stopping": early_stopping}
    same_fit("digits", container(X), y, **parameters)


@pytest.mark.parametrize("targets", [
    lambda y: y, lambda y: y == 1, lambda y: np.stack([y == 1, y > 0], axis=1).astype(int),
])  # fmt: skip
def test_saturated_probabilities_cost_the_same(targets):
    # scikit-learn takes logarithms of p and 1 - p, which it keeps within [eps, 1 - eps]: of a p
    # near 1 the last bit is much of 1 - p.
    X, y = problem("iris")
    y = targets(np.random.default_rng(0).permutation(y))
    same_fit("iris", X * 300, y, learning_rate_init=0.05, max_iter=5)


def test_the_random_state_is_left_alike():
    X, y = problem("iris")
    states = np.random.RandomState(5), np.random.RandomState(5)
    for estimator, state in zip(both("iris", tol=0.1, n_iter_no_change=2), states, strict=True):
        estimator.set_params(random_state=state, max_iter=300).fit(X, y)
    assert_array_equal(*(state.randint(1000, size=5) for state in states))


@pytest.mark.parametrize("parameters", [
    {"max_iter": 3},
    {"max_iter": 300, "tol": 0.1, "n_iter_no_change": 2},
    {"max_iter": 60, "tol": 0.1, "learning_rate": "adaptive", "n_iter_no_change": 1},
    {"max_iter": 300, "early_stopping": True, "tol": 0.1, "n_iter_no_change": 2},
], ids=str)  # fmt: skip
def test_what_is_printed_and_warned(parameters, capsys):
    X, y = problem("iris")
    said = []
    for estimator in both("iris", solver="sgd", verbose=True, batch_size=500, **parameters):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(X, y)
        said.append((capsys.readouterr().out, [(w.category, str(w.message)) for w in caught]))
        # A filter of warnings by module, "sklearn", finds ours too.
        assert all("sklearn" in Path(w.filename).parts[-3:] for w in caught)
        assert not any("fastbp" in Path(w.filename).parts[-3:] for w in caught)
    assert said[0] == said[1]
    assert ConvergenceWarning in [w[0] for w in said[0][1]] or "improve" in said[0][0]


def test_steps_in_many_calls_of_a_kernel_or_in_few(monkeypatch):
    X, y = problem("digits")
    make_steps, calls, models = epochs.Epochs.make_steps, [], []

    def count(*arguments):
        calls.append(1)
        make_steps(*arguments)

    monkeypatch.setattr(epochs.Epochs, "make_steps", count)
    monkeypatch.setattr(pace, "FLOPS_PER_CALL", 1)  # one step a call, at first
    counts = []
    for seconds in (0, np.inf):
        monkeypatch.setattr(pace, "SHORT_CALL", seconds)
        calls.clear()
        models.append(both("digits", batch_size=10, max_iter=2)[1].fit(X, y))
        counts.append(len(calls))
    assert counts == [2 * 60, 6 + 1]  # twice as many each time: 1, 2, 4, 8, 16, 29; 60
    for a, b in zip(models[0].coefs_, models[1].coefs_, strict=True):
        assert_array_equal(a, b)
