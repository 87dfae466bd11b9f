"""scikit-learn's checks of estimators, and its tools around ours."""

import copy
import inspect
import os
import pickle

import joblib
import numpy as np
import pytest
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris
from sklearn.inspection import permutation_importance
from sklearn.model_selection import cross_val_score, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_sample_weight_equivalence_on_dense_data,
)

from fastbp.kernels import jit
from fastbp.sklearn import MLPClassifier, MLPRegressor

OURS = (MLPClassifier, MLPRegressor)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_iris(return_X_y=True)


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks try what deserves warnings
@pytest.mark.parametrize("ours", OURS)
def test_check_estimator(ours):
    results = check_estimator(ours(max_iter=100), on_skip=None, on_fail="raise")
    theirs = check_estimator(ours._original(max_iter=100), on_skip=None, on_fail="raise")
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    skipped, skipped_of_theirs = (
        [result["check_name"] for result in some if result["status"] == "skipped"]
        for some in (results, theirs)
    )
    assert skipped == skipped_of_theirs


@pytest.mark.parametrize(
    "estimator",
    # Where scikit-learn makes this check: elsewhere, batches differ.
    [MLPClassifier(solver="lbfgs"), MLPRegressor(solver="sgd", tol=1e-2, random_state=42)],
)
def test_weights_are_repetitions(estimator):
    check_sample_weight_equivalence_on_dense_data("MLP", estimator)


@pytest.mark.parametrize("ours", OURS)
def test_parameters_are_theirs_and_then_ours(ours):
    def defaults(estimator):
        of_init = list(inspect.signature(estimator).parameters.values())
        return [(parameter.name, parameter.kind, parameter.default) for parameter in of_init]

    theirs = defaults(ours._original)
    assert defaults(ours)[: len(theirs)] == theirs
    assert issubclass(ours, ours._original)
    for name, kind, _ in defaults(ours)[len(theirs) :]:
        assert kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n{name} : " in inspect.getdoc(ours)  # Python 3.13 keeps no indentation


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("attribute", [name for name in dir(MLPRegressor) if name[0] != "_"])
def test_methods_are_theirs(ours, attribute):
    if attribute not in ("to_sklearn", "parameters"):  # of ours
        assert hasattr(ours._original, attribute)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_copies_are_equal_and_go_on_alike(solver, early_stopping, tmp_path):
    parameters = {"solver": solver, "early_stopping": early_stopping, "warm_start": True}
    model = MLPClassifier((9,), random_state=0, max_iter=12, **parameters).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),
        copy.deepcopy(model),
    ]
    expected = model.predict_proba(X)
    for other in copies:
        assert_array_equal(other.predict_proba(X), expected)
    model.fit(X, y)
    for other in copies:
        other.fit(X, y)
        assert_array_equal(other.predict_proba(X), model.predict_proba(X))
    assert not np.array_equal(model.predict_proba(X), expected)


def test_a_pickled_optimizer_goes_on():
    model = MLPRegressor(hidden_layer_sizes=(9,), random_state=0).partial_fit(X, y)
    other = pickle.loads(pickle.dumps(model))
    for each in (model, other):
        each.partial_fit(X, y)
    assert_array_equal(model.coefs_[0], other.coefs_[0])


def test_coefs_are_live_and_may_be_replaced():
    model = MLPClassifier((5,), random_state=0, max_iter=5).fit(X, y)
    before = model.predict_proba(X)
    model.coefs_[0][:] *= 2
    doubled = model.predict_proba(X)
    assert not np.allclose(doubled, before)
    model.coefs_[0] = np.ascontiguousarray(model.coefs_[0]) / 2
    assert_allclose(model.predict_proba(X), before)
    model.partial_fit(X, y)  # goes on from there
    assert not np.allclose(model.predict_proba(X), before)
    halved = clone(model).fit(X, y)
    halved.coefs_ = [coef / 2 for coef in halved.coefs_]
    assert_allclose(halved.predict_proba(X), halved.to_sklearn().predict_proba(X))


def test_own_estimator_of_scikit_learn():
    model = MLPClassifier((5,), random_state=0, max_iter=20, dropout=0.1).fit(X, y)
    theirs = model.to_sklearn()
    assert type(theirs) is sklearn.neural_network.MLPClassifier
    assert_allclose(theirs.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    theirs.partial_fit(X, y)
    assert theirs.coefs_[0] is not model.coefs_[0]


def test_searches_in_two_processes():
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(5,), (8, 4)]}
    searches = [
        GridSearchCV(estimator(random_state=0, max_iter=30), grid, n_jobs=2, cv=3).fit(X, y)
        for estimator in (MLPClassifier, sklearn.neural_network.MLPClassifier)
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in searches)
    assert_array_equal(ours, theirs)
    assert searches[0].best_params_ == searches[1].best_params_


def fit_and_count(estimator):
    """In a worker: its process, and what numba compiled there."""
    estimator.fit(X, y).predict(X)
    return os.getpid(), jit.compilations(), jit.compile_seconds()


def test_workers_of_a_search_compile_nothing():
    models = [MLPClassifier(random_state=n, max_iter=3) for n in range(4)]
    fit_and_count(models[0])  # puts the kernels on disk, unless they are there
    counts = joblib.Parallel(n_jobs=2)(joblib.delayed(fit_and_count)(model) for model in models)
    assert os.getpid() not in {process for process, _, _ in counts}
    assert {tuple(compiled) for _, *compiled in counts} == {(0, 0.0)}


def test_threads_that_predict_together():
    model = MLPClassifier((30,), random_state=0, max_iter=20).fit(X, y)
    rows = np.tile(X, (200, 1))
    expected = model.predict_proba(rows)
    with joblib.parallel_config("threading", n_jobs=4):
        results = joblib.Parallel()(joblib.delayed(model.predict_proba)(rows) for _ in range(12))
    for result in results:
        assert_array_equal(result, expected)


def found_by_tools(estimator):
    """What scikit-learn's tools find with a classifier, as arrays."""
    model = estimator((8,), random_state=0, max_iter=100, learning_rate_init=0.02)
    pipeline = make_pipeline(StandardScaler().set_output(transform="default"), model)
    yield pipeline.fit(X, y).score(X, y)
    yield cross_val_score(pipeline, X, y)
    yield CalibratedClassifierCV(model, cv=3).fit(X, y).predict_proba(X)
    yield permutation_importance(pipeline, X, y, n_repeats=2, random_state=0).importances


def test_tools_find_the_same():
    results = zip(*map(found_by_tools, (MLPClassifier, MLPClassifier._original)), strict=True)
    for ours, theirs in results:
        assert np.ptp(theirs) > 0 or np.ndim(theirs) == 0
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_metadata_routing():
    """Weights that a tool routes come to fit and to score."""
    data, target = load_diabetes(return_X_y=True)
    weights = np.random.default_rng(0).uniform(0.1, 2, len(data))
    scores = []
    with config_context(enable_metadata_routing=True):
        for estimator in (MLPRegressor, MLPRegressor._original):
            model = estimator(hidden_layer_sizes=(8,), random_state=0, max_iter=20)
            model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            scores.append(cross_val_score(model, data, target, params={"sample_weight": weights}))
        requests = MLPRegressor().set_fit_request(X_val=True).get_metadata_routing().fit.requests
    assert_allclose(*scores, rtol=1e-9)
    assert (requests["X_val"], requests["y_val"]) == (True, None)


def test_regressors_in_a_pipeline():
    data, target = load_diabetes(return_X_y=True)
    scores = []
    for estimator in (MLPRegressor, MLPRegressor._original):
        model = estimator(
            hidden_layer_sizes=(20,), random_state=0, max_iter=400, learning_rate_init=0.01
        )
        scores.append(make_pipeline(StandardScaler(), model).fit(data, target).score(data, target))
    assert scores[0] > 0.4
    assert_allclose(*scores, rtol=1e-9)
