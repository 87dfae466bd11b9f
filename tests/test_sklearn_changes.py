"""What users change between two calls, and data that nobody has checked: as in scikit-learn.

Kernels read pointers: whatever does not fit together has to be refused before.
"""

import copy
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from fastbp import EarlyStopping, ReduceOnPlateau
from fastbp.sklearn import MLPClassifier, MLPRegressor
from fastbp.sklearn.lbfgs import Objective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_iris(return_X_y=True)
DATA, TARGET = load_diabetes(return_X_y=True)
CLASSIFIERS = (TheirClassifier, MLPClassifier)
REGRESSORS = (TheirRegressor, MLPRegressor)


def assert_same(theirs, ours, rtol=1e-9):
    for one, other in zip(theirs.coefs_, ours.coefs_, strict=True):
        assert_allclose(other, one, rtol, rtol)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"solver": "sgd"}, {"solver": "adam"}),
        ({"solver": "adam"}, {"solver": "sgd"}),
        ({"solver": "sgd", "momentum": 0}, {"momentum": 0.9}),
        ({"solver": "sgd"}, {"momentum": 0.0}),
        ({"solver": "sgd"}, {"nesterovs_momentum": False}),
        ({}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1.0}),
        ({}, {"alpha": 0.5}),
    ],
)
def test_partial_fit_goes_on_with_the_optimizer_it_began_with(before, after):
    """Of the state of another there is too little, or too much."""
    models = [kind((6,), random_state=0, **before) for kind in CLASSIFIERS]
    for model in models:
        model.partial_fit(X, y, classes=[0, 1, 2])
        model.set_params(**after)
        for _ in range(5):
            model.partial_fit(X, y)
    assert_same(*models)


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "adagrad"])
def test_every_solver_that_takes_steps_has_partial_fit(solver):
    models = [MLPClassifier((6,), solver=solver, random_state=0), MLPRegressor(solver=solver)]
    for model in models:
        model.partial_fit(X, y, **({"classes": [0, 1, 2]} if model is models[0] else {}))
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize(
    ("solver", "call"), [("sgd", "partial_fit"), ("sgd", "fit"), ("lbfgs", "fit")]
)
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 2), (2, 1)])
def test_another_number_of_outputs_is_refused(solver, call, before, after):
    Y = np.column_stack([TARGET, -TARGET, TARGET**2]) / 1e4
    model = MLPRegressor(
        hidden_layer_sizes=(6,), solver=solver, warm_start=True, random_state=0, max_iter=2
    )
    model.fit(DATA, Y[:, :before])
    kept = copy.deepcopy(model.coefs_)
    with pytest.raises(ValueError, match=f"y has {after} outputs, but the net has {before}"):
        getattr(model, call)(DATA, Y[:, :after])
    assert all(map(np.array_equal, kept, model.coefs_))


def fitted(**parameters):
    return MLPClassifier((6,), random_state=0, max_iter=3, **parameters).fit(X, y)


def test_coefficients_for_other_features_are_refused():
    model = fitted()
    model.coefs_[0] = np.zeros((3000, 6))
    for call in (model.predict_proba, lambda X: model.partial_fit(X, y)):
        with pytest.raises(ValueError, match=r"X has 4 features, but coefs_\[0\] is for 3000"):
            call(X)


@pytest.mark.parametrize("hidden", [3, 600])
def test_a_net_that_was_pruned_or_grown_is_not_trained_with_the_old_state(hidden):
    model = fitted()
    model.coefs_ = [np.ones((4, hidden)), np.ones((hidden, 3))]
    model.intercepts_ = [np.zeros(hidden), np.zeros(3)]
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"state of .*; call fit to train a net of another shape"):
        model.partial_fit(X, y)
    model.set_params(warm_start=True).fit(X, y)  # with a new state
    assert model.coefs_[0].shape == (4, hidden)


def test_coefficients_of_another_precision_are_trained_on():
    models = [kind((6,), random_state=0) for kind in CLASSIFIERS]
    for model in models:
        model.partial_fit(X.astype(np.float32), y, classes=[0, 1, 2])
        model.coefs_ = [coef.astype(np.float64) for coef in model.coefs_]
        model.intercepts_ = [b.astype(np.float64) for b in model.intercepts_]
        for _ in range(3):
            model.partial_fit(X, y)
    assert_same(*models, rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_spoil_no_other(bad):
    """assume_finite=True is a promise; where it is broken, their own outputs are NaN."""
    model = fitted()
    some = np.tile(X, (40, 1))
    right = model.predict_proba(some)
    some[[0, 4321], 1] = bad
    with config_context(assume_finite=True):
        found = model.predict_proba(some)
    assert_array_equal(np.flatnonzero(np.isnan(found).all(axis=1)), [0, 4321])
    good = np.delete(np.arange(len(some)), [0, 4321])
    assert_array_equal(found[good], right[good])
    with config_context(assume_finite=True):
        assert np.isnan(model.predict_proba(np.full((1, 4), bad))).all()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_data_that_are_not_finite_do_not_train(solver):
    some = X.copy()
    some[7, 2] = np.nan
    with config_context(assume_finite=True), pytest.raises(ValueError, match="non-finite"):
        MLPClassifier((6,), solver=solver, random_state=0, max_iter=3).fit(some, y)


def test_fastbps_early_stopping_works_for_estimators():
    for restores in (True, False):
        stop = EarlyStopping("loss", patience=2, min_delta=1e9, restore_best=restores)
        model = MLPClassifier((6,), callbacks=[stop], random_state=0, max_iter=50).fit(X, y)
        assert model.n_iter_ == 3
        first = MLPClassifier((6,), random_state=0, max_iter=1).fit(X, y)
        same = all(map(np.array_equal, model.coefs_, first.coefs_))
        assert same == restores


def test_a_schedule_that_watches_what_is_not_recorded_is_refused():
    rate = ReduceOnPlateau(0.01, "val_loss")
    with pytest.raises(ValueError, match="monitor: got 'val_loss', expected what this training"):
        MLPClassifier((6,), learning_rate=rate).fit(X, y)


def test_one_class_is_always_predicted():
    models = [
        kind((6,), early_stopping=True, random_state=0, max_iter=30).fit(X, np.zeros(len(X)))
        for kind in CLASSIFIERS
    ]
    assert models[1].validation_scores_ == models[0].validation_scores_
    assert_same(*models)


def test_weights_of_float32_do_not_round_the_cost_of_doubles():
    weights = np.random.default_rng(0).uniform(0.1, 2, len(TARGET)).astype(np.float32)
    models = [
        kind(solver="lbfgs", hidden_layer_sizes=(6,), random_state=0, max_iter=5).fit(
            DATA, TARGET, weights
        )
        for kind in REGRESSORS
    ]
    assert_allclose(models[1].loss_, models[0].loss_, 1e-12)
    assert_same(*models, rtol=1e-6)


def test_poisson_costs_of_tiny_predictions():
    models = [kind("poisson", (2,), random_state=0, max_iter=1).fit(X, y) for kind in REGRESSORS]
    for model in models:
        model.coefs_ = [np.zeros_like(coef) for coef in model.coefs_]
        model.intercepts_ = [np.zeros(2), np.array([-150.0])]
        model.set_params(warm_start=True, learning_rate_init=1e-300).fit(X, y)
    assert_allclose(models[1].loss_, models[0].loss_, 1e-12)
    assert models[0].loss_ > 140


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_weights_that_sum_to_0(kind):
    with pytest.raises(ZeroDivisionError, match="sum to zero"):
        kind((6,), solver="lbfgs", max_iter=3).fit(X, y, np.tile([1.0, -1.0], 75))


def test_what_asks_for_nothing_goes_with_lbfgs():
    options = {"callbacks": [], "dropout": [0.0], "max_norm": None}
    MLPClassifier((6,), solver="lbfgs", max_iter=3, **options).fit(X, y)


def test_an_estimator_of_scikit_learn_goes_on_after_early_stopping():
    model = fitted(early_stopping=True, warm_start=True).to_sklearn()
    assert model.fit(X, y).score(X, y) >= 0


def test_a_script_finds_its_files_wherever_it_goes(tmp_path):
    script = "import os; os.chdir('/'); print(open(__file__).read()[:9])"
    (tmp_path / "script.py").write_text(script)
    for package in ("fastbp.sklearn", "fastbp.nndl"):
        command = [sys.executable, "-m", package, "script.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "import os"


@pytest.mark.parametrize("seed", [1, 2, 3, 29])
@pytest.mark.parametrize("weight", [0.1, 1 / 3, 0.7])
def test_epochs_with_as_many_hits_tie_whatever_the_weights(seed, weight):
    """The best epoch is the first of them: no last bit of a sum of weights decides."""
    rng, n = np.random.default_rng(seed), 190
    rows = rng.normal(size=(n, 5))
    labels = (rows[:, 0] + rng.normal(size=n) > 0).astype(int)
    options = {"max_iter": 40, "random_state": seed, "early_stopping": True}
    options |= {"validation_fraction": 0.3, "learning_rate_init": 0.01}
    theirs, ours = (
        kind((8,), **options).fit(rows, labels, np.full(n, weight)) for kind in CLASSIFIERS
    )
    assert ours.validation_scores_ == theirs.validation_scores_
    assert_same(theirs, ours)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # scikit-learn's
def test_a_square_that_overflows_is_no_progress():
    """Only where an output is not finite, the score is NaN; else training stops as it should."""
    rng = np.random.RandomState(1)
    rows = rng.normal(size=(60, 4))
    targets = 10 * rng.normal(size=60)
    options = {"solver": "sgd", "learning_rate_init": 3, "early_stopping": True}
    options |= {"n_iter_no_change": 3, "max_iter": 60, "random_state": 1}
    theirs, ours = (kind(hidden_layer_sizes=6, **options).fit(rows, targets) for kind in REGRESSORS)
    assert np.isneginf(theirs.validation_scores_).any()
    assert_allclose(ours.validation_scores_, theirs.validation_scores_, 1e-6)
    assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # scikit-learn's
@pytest.mark.parametrize("factor", [-1, 1e200, 1e-200])
def test_scores_of_weights_of_any_size_and_sign(factor):
    rng = np.random.RandomState(0)
    rows, targets = rng.normal(size=(60, 4)), rng.normal(size=60)
    weights = factor * np.abs(rng.normal(size=60))
    options = {"max_iter": 4, "random_state": 1, "early_stopping": True}
    theirs, ours = (
        kind(hidden_layer_sizes=6, **options).fit(rows, targets, weights) for kind in REGRESSORS
    )
    assert_allclose(ours.validation_scores_, theirs.validation_scores_, 1e-7)
    assert_same(theirs, ours, 1e-7)


def test_the_penalty_of_a_batch_whose_weights_sum_below_0():
    rng = np.random.RandomState(0)
    rows, labels = rng.normal(size=(60, 4)), rng.randint(0, 3, 60)
    weights = rng.normal(size=60) + 0.3
    options = {"solver": "sgd", "alpha": 1.0, "learning_rate_init": 0.001, "batch_size": 10}
    options |= {"max_iter": 30, "random_state": 1}
    assert_same(*(kind((6,), **options).fit(rows, labels, weights) for kind in CLASSIFIERS))


def test_labels_of_the_other_byte_order():
    labels = y.astype(">i4")
    theirs, ours = (kind((3,), max_iter=2).fit(X, labels) for kind in CLASSIFIERS)
    assert ours.classes_.dtype == theirs.classes_.dtype
    assert ours.predict(X).dtype == theirs.predict(X).dtype


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_losses_are_numpys_numbers(solver):
    fitted = [kind((3,), solver=solver, max_iter=2).fit(X, y) for kind in CLASSIFIERS]
    assert type(fitted[1].loss_) is type(fitted[0].loss_)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("kind", [str, "datetime64[D]", "timedelta64[D]"])
def test_targets_that_are_no_numbers_are_refused(kind, solver):
    targets = np.arange(len(DATA)).astype(kind)
    for regressor in REGRESSORS:
        with pytest.raises(TypeError):
            regressor(hidden_layer_sizes=3, solver=solver, max_iter=2).fit(DATA, targets)


REFUSED = [
    {"class_weight": {7: 1.0}},
    {"class_weight": {0: np.nan}},
    {"dropout": [0.1, 0.2]},
    {"activation": ["relu", "relu"]},
    {"callbacks": [None]},
    {"callbacks": [EarlyStopping("val_loss")]},
    {"learning_rate": ReduceOnPlateau(0.1, monitor="val_loss")},
    {"n_threads": 1000},
]


@pytest.mark.parametrize("wrong", [*REFUSED, {"solver": "lbfgs", **REFUSED[0]}], ids=str)
@pytest.mark.parametrize("before", [None, {}, {"warm_start": True}], ids=str)
def test_a_fit_that_is_refused_changes_nothing(wrong, before):
    model = MLPClassifier((6,), max_iter=3, random_state=0, **(before or {}))
    if before is not None:
        model.fit(X, y)
    model.set_params(**wrong)
    attributes, numbers = dict(vars(model)), copy.deepcopy(model.__getstate__())
    with pytest.raises((ValueError, TypeError)):
        model.fit(X, y)
    assert vars(model) == attributes
    for name in ("coefs_", "intercepts_", "loss_curve_"):
        assert_array_equal(
            np.concatenate([np.ravel(part) for part in getattr(model, name, [0])]),
            np.concatenate([np.ravel(part) for part in numbers.get(name, [0])]),
        )


def test_a_validation_set_that_is_refused_changes_nothing():
    model = MLPClassifier((6,), max_iter=3, random_state=0).fit(X, y)
    attributes, coefs = dict(vars(model)), copy.deepcopy(model.coefs_)
    with pytest.raises(ValueError, match="y_val has classes that y has not"):
        model.fit(X, y, X_val=X, y_val=y + 1)
    assert vars(model) == attributes
    assert all(map(np.array_equal, model.coefs_, coefs))


@pytest.mark.parametrize("monitor", ["score", "loss"])
@pytest.mark.parametrize("stops", [False, True])
def test_early_stopping_is_switched_on_and_off(stops, monitor):
    model = MLPClassifier((6,), max_iter=3, warm_start=True, random_state=0)
    model.set_params(early_stopping=stops, stopping_monitor=monitor)
    model.fit(X, y, X_val=X, y_val=y)
    before = model.coefs_[0].copy()
    model.set_params(early_stopping=not stops).fit(X, y, X_val=X, y_val=y)
    assert not np.array_equal(model.coefs_[0], before)
    assert len(model.loss_curve_) == 3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("before", "after"), [("squared_error", "poisson"), ("poisson", "squared_error")]
)
def test_a_loss_that_goes_with_other_outputs_is_refused(before, after, solver):
    model = MLPRegressor(before, (6,), solver=solver, warm_start=True, random_state=0, max_iter=2)
    model.fit(DATA, TARGET / 100)
    coefs = copy.deepcopy(model.coefs_)
    with pytest.raises(ValueError, match="does not go with the outputs"):
        model.set_params(loss=after).fit(DATA, TARGET / 100)
    assert all(map(np.array_equal, model.coefs_, coefs))
    assert np.isfinite(model.predict(DATA)).all()  # as in scikit-learn
    model.set_params(warm_start=False).fit(DATA, TARGET / 100)


@pytest.mark.parametrize("units", [np.array([100, 120], np.uint8), (np.int16(200), np.int16(200))])
def test_numbers_of_neurons_of_any_integer_type(units):
    models = [kind(units, max_iter=2, random_state=0).fit(X, y) for kind in CLASSIFIERS]
    assert_same(*models)


@pytest.mark.parametrize("cast", [np.float16, np.longdouble, int])
def test_coefs_of_other_types(cast):
    """scikit-learn computes in these; our numbers are those of float64 or, of float16, float32."""
    models = [kind(hidden_layer_sizes=(6,), max_iter=2, random_state=0) for kind in REGRESSORS]
    inputs = (DATA * 50).astype(cast)
    answers = []
    for model in models:
        model.fit(DATA, TARGET)
        kind = cast if model is models[1] else float
        model.coefs_ = [np.round(coef * 8).astype(kind) for coef in model.coefs_]
        model.intercepts_ = [np.round(b * 8).astype(kind) for b in model.intercepts_]
        answers.append(model.predict(inputs.astype(kind)))
    assert_allclose(answers[1], answers[0], 1e-4)
    models[1].coefs_[1] = models[1].coefs_[1][:1]
    with pytest.raises(ValueError, match=r"coefs_\[1\] has shape \(1, 1\), expected \(6, 1\)"):
        models[1].predict(inputs)


def test_ctrl_c_in_lbfgs_leaves_the_net_that_was_tried_last(monkeypatch):
    tried, ask = [], Objective.__call__

    def call(self, vector):
        tried.append(vector.copy())
        answer = ask(self, vector)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(Objective, "__call__", call)
    model = MLPClassifier((6,), solver="lbfgs", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_array_equal(model.parameters, tried[-1])
