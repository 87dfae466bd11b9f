"""What our estimators have more than scikit-learn's, and what they refuse."""

import os
import re
import threading
import warnings

import naive
import naive_optimizers
import numpy as np
import pytest
import scipy.optimize
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_sample_weight
from stops import press_ctrl_c

from fastbp import Cosine, EarlyStopping, ReduceOnPlateau
from fastbp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_iris(return_X_y=True)
DATA, TARGET = (scale(array) for array in load_diabetes(return_X_y=True))


def classifier(**parameters):
    parameters = {"hidden_layer_sizes": (12,), "random_state": 0, "max_iter": 20, **parameters}
    return MLPClassifier(**parameters)


def regressor(**parameters):
    parameters = {"hidden_layer_sizes": (12,), "random_state": 0, "max_iter": 20, **parameters}
    return MLPRegressor(**parameters)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.coefs_, other.coefs_, strict=True))


def objective_of_the_reference(model, names, rows, targets, l1=0.0):
    """The estimator's initial parameters, flat, their sizes, and cost and gradient by naive.py."""
    start = model.__class__(**{**model.get_params(), "learning_rate_init": 1e-300, "max_iter": 1})
    start.set_params(solver="sgd", momentum=0, learning_rate="constant", callbacks=None)
    start.fit(rows, targets)
    sizes = [rows.shape[1], *(len(b) for b in start.intercepts_)]
    w = naive.flatten([coef.T for coef in start.coefs_], start.intercepts_)
    of_net = np.eye(sizes[-1])[targets] if "softmax" in names else targets.reshape(len(rows), -1)
    penalties = {"l1": l1 / len(rows), "l2": model.alpha / len(rows)}

    def value_and_grad(w):
        return naive.value_and_grad(*naive.unflatten(w, sizes), rows, of_net, *names, **penalties)

    return w, sizes, value_and_grad


def coefficients(w, sizes):
    return [weights.T for weights in naive.unflatten(w, sizes)[0]]


def steps_of_the_reference(model, optimizer, names, rows, targets, l1=0.0, clip_norm=None):
    """Coefficients after full-batch steps of naive.py, from the estimator's initial ones."""
    w, sizes, value_and_grad = objective_of_the_reference(model, names, rows, targets, l1)
    for _ in range(model.max_iter):
        gradient = value_and_grad(w)[1]
        if clip_norm:
            gradient = naive_optimizers.clip_by_norm(gradient, clip_norm)
        w = optimizer.step(w, gradient)
    return coefficients(w, sizes)


@pytest.mark.parametrize(
    ("solver", "optimizer"),
    [
        ("adamw", naive_optimizers.AdamW(naive.is_weight([4, 12, 3]), 0.01, weight_decay=0.1)),
        ("rmsprop", naive_optimizers.RMSprop(0.01, rho=0.999)),
        ("adagrad", naive_optimizers.Adagrad(0.01, epsilon=1e-8)),
    ],
)
def test_solvers_are_the_references(solver, optimizer):
    model = classifier(
        solver=solver, batch_size=150, activation="tanh", learning_rate_init=0.01, weight_decay=0.1
    )
    names = ("tanh", "softmax", "cross_entropy")
    expected = steps_of_the_reference(model, optimizer, names, X, y)
    for coef, reference in zip(model.fit(X, y).coefs_, expected, strict=True):
        assert_allclose(coef, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("loss", "of_naive"), [("absolute_error", "absolute"), ("huber", "huber")])
@pytest.mark.parametrize(
    "more", [{}, {"l1": 0.5}, {"clip_norm": 0.05}, {"l1": 1, "clip_norm": 0.1}]
)
def test_losses_penalties_and_clipping_are_the_references(loss, of_naive, more):
    model = regressor(loss=loss, solver="sgd", momentum=0, batch_size=442, alpha=0.3,
                      learning_rate_init=0.1, activation="softplus", **more)  # fmt: skip
    names = ("softplus", "linear", of_naive)
    optimizer = naive_optimizers.SGD(0.1)
    expected = steps_of_the_reference(model, optimizer, names, DATA, TARGET, **more)
    for coef, reference in zip(model.fit(DATA, TARGET).coefs_, expected, strict=True):
        assert_allclose(coef, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "selu", "gelu", "silu", "softplus"])
def test_activations_are_the_references(name):
    model = classifier(activation=name, solver="sgd", momentum=0, batch_size=150,
                       learning_rate_init=0.01)  # fmt: skip
    names = (name, "softmax", "cross_entropy")
    expected = steps_of_the_reference(model, naive_optimizers.SGD(0.01), names, X, y)
    for coef, reference in zip(model.fit(X, y).coefs_, expected, strict=True):
        assert_allclose(coef, reference, rtol=1e-9, atol=1e-9)


def test_activations_of_each_layer():
    sizes = (8, 6)
    of_each = classifier(hidden_layer_sizes=sizes, activation=["tanh", "tanh"]).fit(X, y)
    assert same(of_each, classifier(hidden_layer_sizes=sizes, activation="tanh").fit(X, y))
    mixed = classifier(hidden_layer_sizes=sizes, activation=["relu", "tanh"]).fit(X, y)
    hidden = np.tanh(
        np.maximum(X @ mixed.coefs_[0] + mixed.intercepts_[0], 0) @ mixed.coefs_[1]
        + mixed.intercepts_[1]
    )
    z = hidden @ mixed.coefs_[2] + mixed.intercepts_[2]
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert_allclose(mixed.predict_proba(X), expected, rtol=1e-12)


@pytest.mark.parametrize("l1", [0, 0.5])
@pytest.mark.parametrize(("loss", "of_naive"), [
    ("squared_error", "quadratic"), ("absolute_error", "absolute"), ("huber", "huber"),
])  # fmt: skip
def test_lbfgs_minimises_all_losses_with_penalties(loss, of_naive, l1):
    model = regressor(loss=loss, solver="lbfgs", activation="tanh", alpha=0.3, l1=l1, tol=1e-8)
    w, sizes, value_and_grad = objective_of_the_reference(
        model, ("tanh", "linear", of_naive), DATA, TARGET, l1
    )
    options = {"maxiter": model.max_iter, "gtol": model.tol}
    found = scipy.optimize.minimize(value_and_grad, w, jac=True, method="L-BFGS-B", options=options)
    assert model.fit(DATA, TARGET).n_iter_ == found.nit == 20
    assert_allclose(model.loss_, found.fun, rtol=1e-9)
    for coef, reference in zip(model.coefs_, coefficients(found.x, sizes), strict=True):
        assert_allclose(coef, reference, rtol=1e-6, atol=1e-6)  # as for scikit-learn's losses


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3, 2: 0.5}])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_multiply_those_of_the_rows(class_weight, solver):
    rows, labels = X[:120], y[:120]
    weights = np.linspace(1, 2, 120)
    by_class = classifier(class_weight=class_weight, solver=solver)
    by_class.fit(rows, labels, sample_weight=weights)
    weights = weights * compute_sample_weight(class_weight, labels)
    by_row = classifier(solver=solver).fit(rows, labels, sample_weight=weights)
    assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-9)


def test_class_weights_of_words_and_of_two_classes():
    words = np.where(y == 1, "yes", "no")
    plain = classifier(max_iter=100, solver="lbfgs").fit(X[:, :1], words)
    model = classifier(max_iter=100, solver="lbfgs", class_weight={"yes": 20}).fit(X[:, :1], words)
    assert (model.predict(X[:, :1]) == "yes").sum() > (plain.predict(X[:, :1]) == "yes").sum()


def test_dropout_is_drawn_from_the_random_state():
    models = [classifier(dropout=0.5, max_iter=5).fit(X, y) for _ in range(2)]
    assert same(*models)
    assert not same(models[0], classifier(max_iter=5).fit(X, y))
    assert not same(models[0], classifier(dropout=[0.2], max_iter=5).fit(X, y))
    assert same(classifier(dropout=[0.0]).fit(X, y), classifier().fit(X, y))


def test_an_own_validation_set_is_scored():
    model = classifier(max_iter=15).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.validation_scores_[-1] == model.score(X[1::2], y[1::2])
    p = model.predict_proba(X[1::2])[np.arange(75), y[1::2]]
    assert_allclose(model.validation_loss_curve_[-1], -np.log(p).mean())
    assert len(model.validation_scores_) == model.n_iter_ == 15
    assert same(model, classifier(max_iter=15).fit(X[::2], y[::2]))  # watching changes nothing


@pytest.mark.parametrize("monitor", ["score", "loss"])
def test_early_stopping_keeps_the_best_epoch(monitor):
    model = regressor(early_stopping=True, stopping_monitor=monitor, max_iter=500,
                      learning_rate_init=0.02, n_iter_no_change=5)  # fmt: skip
    held_back = DATA[300:], TARGET[300:]
    model.fit(DATA[:300], TARGET[:300], X_val=held_back[0], y_val=held_back[1])
    assert model.n_iter_ < 500
    best = np.argmin(model.validation_loss_curve_)
    assert best < model.n_iter_ - 5
    assert_allclose(model.score(*held_back), model.validation_scores_[best])
    assert model.best_validation_loss_ == model.validation_loss_curve_[best]


def test_callbacks_see_each_epoch_and_may_end_training():
    seen = []

    def watch(estimator, logs):
        seen.append((estimator.n_iter_, estimator.coefs_[0].copy(), logs))
        return logs["epoch"] == 4

    model = classifier(callbacks=[watch]).fit(X, y, X_val=X, y_val=y)
    assert [n for n, _, _ in seen] == [1, 2, 3, 4]
    assert not np.array_equal(seen[0][1], seen[1][1])
    assert_array_equal(seen[-1][1], model.coefs_[0])
    assert set(seen[0][2]) == {
        "epoch", "loss", "seconds", "learning_rate", "val_loss", "val_accuracy",
    }  # fmt: skip
    assert [logs["loss"] for _, _, logs in seen] == model.loss_curve_


def test_fastbps_callbacks_and_schedules():
    stop = EarlyStopping("loss", patience=3, min_delta=0.5, restore_best=False)
    # No loss is 0.5 below the first one, 2.7, within three epochs.
    assert classifier(callbacks=[stop], max_iter=300).fit(X, y).n_iter_ == 1 + 3
    rates = []
    model = classifier(
        solver="sgd",
        learning_rate=Cosine(0.1, epochs=4),
        callbacks=[lambda estimator, logs: rates.append(logs["learning_rate"])],
        max_iter=6,
    )
    model.fit(X, y)
    assert_allclose(rates, [Cosine(0.1, epochs=4).rates(epoch, 1)[0] for epoch in range(6)])
    plateau = ReduceOnPlateau(0.5, monitor="loss", patience=1, min_delta=10.0)
    model = classifier(learning_rate=plateau, max_iter=5).fit(X, y)
    assert model._optimizer.learning_rate < 0.01


def test_training_ends_in_time():
    model = classifier(max_seconds=1e-9, max_iter=1000).fit(X, y)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"clip_norm": 0.1, "l1": 0.1}])
def test_threads_change_no_bit(more):
    models = [classifier(n_threads=n, batch_size=40, **more).fit(X, y) for n in (1, 2, 3)]
    for other in models[1:]:
        assert same(models[0], other)
        assert other.loss_curve_ == models[0].loss_curve_


def test_max_norm():
    model = regressor(max_norm=0.3).fit(DATA, TARGET)
    for coef in model.coefs_:
        assert (np.linalg.norm(coef, axis=0) <= 0.3 + 1e-12).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"solver": "lbfgs", "dropout": 0.5}, "lbfgs.*dropout"),
        ({"solver": "lbfgs", "callbacks": [print]}, "lbfgs.*callbacks"),
        ({"solver": "lbfgs", "learning_rate": Cosine(0.1, epochs=3)}, "lbfgs.*schedule"),
        ({"activation": ["relu", "tanh"]}, "one for each of the 1 hidden layers"),
        ({"activation": ["step"]}, "among.*'step'"),
        ({"dropout": [0.1, 0.2]}, "dropout"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"class_weight": "heavy"}, "'class_weight' parameter"),
        ({"stopping_monitor": "accuracy"}, "'stopping_monitor' parameter"),
        ({"n_threads": 0}, "'n_threads' parameter"),
        ({"n_threads": 1000}, "n_threads: got 1000"),
        ({"activation": [["relu"]]}, "activation must be among"),
        ({"callbacks": [EarlyStopping("val_loss")]}, "X_val and y_val to an estimator"),
    ],
)
def test_mistakes_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        classifier(**parameters).fit(X, y)


def test_rates_that_are_no_numbers_are_named():
    with pytest.raises(TypeError, match=r"dropout\[0\]: got 'a'"):
        classifier(dropout=["a"]).fit(X, y)


def test_mistakes_about_validation_sets():
    with pytest.raises(ValueError, match="X_val and y_val must be given together"):
        classifier().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="y_val has classes that y has not"):
        classifier().fit(X, y, X_val=X, y_val=y + 1)
    with pytest.raises(ValueError, match="X has 3 features"):
        classifier().fit(X, y, X_val=X[:, 1:], y_val=y)
    with pytest.raises(ValueError, match="y_val has 2 outputs"):
        regressor().fit(DATA, TARGET, X_val=DATA, y_val=np.stack([TARGET, TARGET], axis=1))
    several = np.eye(3, dtype=int)[y]
    several[::7] = 1
    with pytest.raises(ValueError, match="y_val has 1 output, but y has 3"):
        classifier().fit(X, several, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="of y_val are out of the valid range"):
        regressor(loss="poisson").fit(DATA, TARGET**2, X_val=DATA, y_val=TARGET)
    with pytest.raises(ValueError, match="does not support X_val"):
        classifier(solver="lbfgs").fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="not supported by partial_fit"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_numbers_that_are_none_are_refused_as_in_scikit_learn(solver, value):
    bad = X.copy()
    bad[7, 2] = value
    for estimator in (classifier, lambda **kw: MLPClassifier._original(**kw)):
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            estimator(solver=solver).fit(bad, y)
    with pytest.raises(ValueError, match="Input X contains"):
        classifier().fit(X, y).predict(bad)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        regressor(loss="poisson").fit(DATA, TARGET)


@pytest.mark.parametrize("parameters", [{}, {"learning_rate": "adaptive"}, {"batch_size": 50}])
def test_divergence_is_scikit_learns_error(parameters):
    parameters = {"solver": "sgd", "learning_rate_init": 1e3, "activation": "identity",
                  "max_iter": 100, **parameters}  # fmt: skip
    message = re.escape("Solver produced non-finite parameter weights.")
    for estimator in (regressor(**parameters), MLPRegressor._original(**parameters)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, in scikit-learn's
            with pytest.raises(ValueError, match=message):
                estimator.fit(DATA, TARGET)


@pytest.mark.skipif(os.name == "nt", reason="signals to one's own process")
def test_ctrl_c_ends_training():
    model = classifier(hidden_layer_sizes=(50,), max_iter=1_000_000, tol=0, n_iter_no_change=np.inf)
    timer = threading.Timer(0.5, press_ctrl_c)
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    timer.join()
    assert 0 < model.n_iter_ < 1_000_000
    assert len(model.loss_curve_) == model.n_iter_
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize("module", ["sklearn", "sklearn.neural_network"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warnings_come_from_where_filters_look_for_them(solver, module):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=module)
        classifier(solver=solver, max_iter=2).fit(X, y)
    assert not caught


def test_class_weights_need_not_all_be_in_a_batch():
    weights = {1: 5.0, 2: 0.5}
    by_class, by_row = classifier(class_weight=weights), classifier()
    for rows in (y == 0, y != 1, y != 0):
        by_class.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        of_rows = np.array([1.0, 5.0, 0.5])[y[rows]]
        by_row.partial_fit(X[rows], y[rows], classes=[0, 1, 2], sample_weight=of_rows)
    assert same(by_class, by_row)


def test_class_weights_of_a_class_that_is_held_back():
    labels = np.repeat([0, 1, 2], [50, 49, 1])
    weights = {"class_weight": {2: 5.0}, "hidden_layer_sizes": (5,), "max_iter": 2}
    held_back = classifier(**weights, early_stopping=True, random_state=8).fit(X[:100], labels)
    # Of the class that only validation has, nothing is trained: the weight changes nothing.
    without = clone(held_back).set_params(class_weight=None).fit(X[:100], labels)
    assert same(held_back, without)


@pytest.mark.parametrize(
    ("class_weight", "text"),
    [({7: 1.0}, r"class_weight names \[7\]"), ({0: np.inf}, "class_weight: got inf for class 0")],
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_cannot_be_used_are_refused(class_weight, text, solver):
    with pytest.raises(ValueError, match=text):
        classifier(class_weight=class_weight, solver=solver).fit(X, y)
