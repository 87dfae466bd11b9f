"""Numbers that cause trouble: every one has a defined answer, in every method that meets it."""

import math
import warnings

import naive
import numpy as np
import pytest
from api_problems import blobs, everything, line
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import (
    Adagrad,
    Adam,
    AdamW,
    DivergenceError,
    LayerErrors,
    LBFGS,
    MLP,
    NewtonCG,
    RMSprop,
    SGD,
)
from fastbp.sklearn import MLPClassifier

X, Y = blobs(rows=60)
ACTIVATIONS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus"]


def classifier(**arguments):
    return MLP([4, 5, 3], seed=0, **arguments)


def regressor(sizes=(3, 1), **arguments):
    return MLP(sizes, output="linear", loss="quadratic", seed=0, **arguments)


CALLS = {
    "forward": lambda net, X: net.forward(X),
    "predict": lambda net, X: net.predict(X),
    "predict_proba": lambda net, X: net.predict_proba(X),
    "evaluate": lambda net, X: net.evaluate(X, Y),
    "value_and_grad": lambda net, X: net.value_and_grad(X, Y),
    "input_gradient": lambda net, X: net.input_gradient(X, Y),
    "layer_errors": lambda net, X: net.layer_errors(X, Y),
    "hessian_vector_product": lambda net, X: net.hessian_vector_product(X, Y, net.parameters),
    "check_gradient": lambda net, X: net.check_gradient(X, Y),
    "fit": lambda net, X: net.fit(X, Y, batch_size=7),
    "fit on two threads": lambda net, X: net.fit(X, Y, batch_size=7, threads=2),
    "fit with dropout": lambda net, X: net.fit(X, Y, dropout=0.9),
    "fit with LBFGS": lambda net, X: net.fit(X, Y, optimizer=LBFGS()),
    "fit with NewtonCG": lambda net, X: net.fit(X, Y, optimizer=NewtonCG()),
    "partial_fit": lambda net, X: net.partial_fit(X, Y, batch_size=7),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_relu_would_hide_is_found(call, value):
    net = classifier(activation="relu")
    net.weights[0][:, 2] = 0.0  # nobody reads the input
    net.biases[0][:] = -100.0  # and no hidden neuron speaks
    net.partial_fit(X, Y, optimizer=SGD(1e-9))
    rows = X.copy()
    rows[41, 2] = value
    before = everything(net)
    with pytest.raises(ValueError, match=r"^X: got NaN, infinity .* in row 41, expected finite"):
        call(net, rows)
    assert everything(net) == before


def test_what_relu_would_hide_is_found_in_validation_data_and_callbacks():
    rows = X.copy()
    rows[41, 2] = math.nan
    with pytest.raises(ValueError, match=r"^X of validation_data.*row 41"):
        classifier().fit(X, Y, validation_data=(rows, Y))
    with pytest.raises(ValueError, match=r"^X of LayerErrors: .*row 41"):
        classifier().fit(X, Y, callbacks=[LayerErrors(rows, Y)])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["weights", "biases"])
def test_a_net_that_is_not_finite_is_not_trained(method, value, where):
    net = classifier()
    net.partial_fit(X, Y)
    getattr(net, where)[0][0] = value
    before = everything(net)
    for optimizer in [Adam(), SGD(0.1), *([LBFGS()] if method == "fit" else [])]:
        with pytest.raises(ValueError, match=r"^parameters: got NaN or infinity in the net"):
            getattr(net, method)(X, Y, optimizer=optimizer)
        if not isinstance(optimizer, LBFGS):
            assert everything(net) == before


def test_a_net_that_is_not_finite_predicts_no_class():
    net = classifier()
    net.biases[1][2] = math.nan
    for method in (net.predict, net.predict_proba):
        with pytest.raises(ArithmeticError, match="not a number in row 0 of X"):
            method(X)
    binary = MLP([4, 1], output="sigmoid", seed=0)
    binary.biases[0][:] = math.nan
    with pytest.raises(ArithmeticError, match="not a number in row 0 of X"):
        binary.predict(X)
    assert np.isnan(net.forward(X)).all()
    assert math.isnan(net.evaluate(X, Y).loss)
    assert math.isnan(net.value_and_grad(X, Y)[0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e15), ("float64", 1e150)])
def test_saturated_neurons_have_the_references_outputs_and_gradients(activation, dtype, size):
    net = classifier(activation=activation, dtype=dtype)
    rows = (X * np.float64(size)).astype(dtype)
    weights, biases = ([np.float64(v) for v in part] for part in (net.weights, net.biases))
    with np.errstate(all="ignore"):
        cost, gradient = naive.value_and_grad(
            weights, biases, np.float64(rows), Y, activation, "softmax", "cross_entropy"
        )
    got_cost, got = net.value_and_grad(rows, Y)
    # Sums over 60 rows; the differences of some z that are 1e15 long have few digits left.
    assert_allclose(got_cost, cost, rtol=1e-5)
    assert_allclose(got, gradient, rtol=1e-4, atol=1e-4 * np.abs(gradient).max())
    assert np.isfinite(net.forward(rows)).all()


def test_a_saturated_sigmoid_output_still_learns():
    # (a - y) sigma'(z) would be 0; the cross-entropy's error is a - y (book, chapter 3).
    net = MLP([1, 1], output="sigmoid", seed=0)
    net.parameters = [300.0, 0.0]
    cost, gradient = net.value_and_grad([[1.0]], [0])
    assert cost == 300.0
    assert_array_equal(gradient, [1.0, 1.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_too_large_for_the_net(dtype):
    net = classifier(dtype=dtype)
    rows = np.full_like(X, 0.9 * np.finfo(dtype).max, dtype)
    before = everything(net)
    assert not np.isfinite(net.forward(rows)).any()
    assert not math.isfinite(net.evaluate(rows, Y).loss)
    assert not math.isfinite(net.value_and_grad(rows, Y)[0])
    with pytest.raises(ArithmeticError, match="not a number in row 1 of X"):
        net.predict(np.concatenate([X[:1], rows]))
    for method in (net.fit, net.partial_fit):
        with pytest.raises(DivergenceError, match="inputs and targets scaled"):
            method(rows, Y)
    with pytest.raises(DivergenceError, match="inputs and targets scaled"):
        net.fit(rows, Y, optimizer=LBFGS())
    assert everything(net)[0] == before[0]


def test_a_curvature_that_overflows_is_divergence():
    net = classifier()
    before = net.parameters.copy()
    with pytest.raises(DivergenceError, match="the curvature of the loss"):
        net.fit(1e30 * X, Y, optimizer=NewtonCG())
    assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("value", [1e39, -1e39, 1.8e308])
def test_what_overflows_on_conversion_is_refused(value):
    net = regressor([4, 3])
    rows, targets = X.astype(float), np.eye(3)[Y]
    rows[5, 1] = targets[5, 1] = value
    for method in (net.fit, net.partial_fit, net.evaluate, net.value_and_grad):
        with pytest.raises(ValueError, match=r"^X: .*too large for float32 in row 5"):
            method(rows, Y)
        with pytest.raises(ValueError, match=r"^y: .*too large for float32 in row 5"):
            method(X, targets)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_targets_whose_squares_overflow(dtype):
    huge = 0.9 * np.finfo(dtype).max
    rows, targets = line()
    net = regressor(dtype=dtype)
    scores = net.evaluate(rows, np.sign(targets) * huge)
    assert scores.loss == math.inf
    assert dtype == "float32" or math.isnan(scores.r2)
    with pytest.raises(DivergenceError):
        net.fit(rows, np.sign(targets) * huge)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_inputs_are_as_good_as_zeros(dtype):
    tiny = np.full_like(X, np.finfo(dtype).smallest_subnormal, dtype)
    one, other = classifier(dtype=dtype), classifier(dtype=dtype)
    one.fit(tiny, Y, epochs=3)
    other.fit(np.zeros_like(tiny), Y, epochs=3)
    assert_allclose(one.parameters, other.parameters, rtol=1e-6)
    assert_array_equal(one.predict(tiny), other.predict(0 * tiny))
    # The mode in which training takes them for 0 is over, in this thread too.
    assert np.asarray(tiny[0, 0]) * np.asarray(1, dtype) > 0


@pytest.mark.parametrize("value", [0.0, 1.0, -1e6, 1e-30])
def test_features_without_variance_teach_the_frequencies_of_classes(value):
    net, y = MLP([4, 3], seed=0), np.repeat([0, 1, 2], [30, 20, 10])
    rows = np.full_like(X, value)
    net.weights[0][:] = 0
    net.fit(rows, y, epochs=300, optimizer=SGD(0.1 / max(1.0, value**2)), batch_size=60)
    share = net.predict_proba(rows[:1])[0]
    assert np.isfinite(net.parameters).all()
    assert_allclose(share, [1 / 2, 1 / 3, 1 / 6], atol=0.03)


def test_one_class_only_is_learned():
    for net in (classifier(), MLP([4, 1], output="sigmoid", seed=0)):
        y = np.zeros(60, int)
        net.fit(X, y, epochs=30, class_weight="balanced", optimizer=Adam(0.05))
        assert net.evaluate(X, y).accuracy == 1
    regression = regressor()
    rows, _ = line()
    regression.fit(rows, np.full(60, 7.0), epochs=300, optimizer=Adam(0.1))
    assert regression.evaluate(rows, np.full(60, 7.0)).r2 == 0  # not met to the last bit


def test_a_batch_larger_than_the_data_is_all_of_it():
    nets = [classifier() for _ in range(2)]
    for net, size in zip(nets, (60, 10**12), strict=True):
        net.fit(X, Y, epochs=3, batch_size=size)
        net.partial_fit(X, Y, batch_size=size)
    assert_array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("rows", "y", "weights"),
    [
        (np.ones_like(X), Y, None),
        (np.full_like(X, 1e-40), Y, None),
        (X, np.zeros(60, int), None),
        (X, Y, np.arange(60) > 40),
    ],
    ids=["constant features", "subnormal features", "one class", "weights of 0"],
)
def test_the_drop_in_answers_as_scikit_learn_does(rows, y, weights, solver):
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 5, "solver": solver}
    ours = MLPClassifier(**options)
    models = ours, ours._original(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of convergence
        probabilities = [
            model.fit(rows, y, sample_weight=weights).predict_proba(rows) for model in models
        ]
    # L-BFGS enlarges rounding, of float32 here, from iteration to iteration.
    assert_allclose(*probabilities, atol=1e-3 if solver == "lbfgs" else 1e-5)


@pytest.mark.parametrize(("dtype", "epsilon"), [("float32", 1e-38), ("float64", 1e-320)])
@pytest.mark.parametrize("optimizer", [Adam, AdamW, RMSprop, Adagrad])
def test_an_epsilon_that_kernels_take_for_0_is_refused(dtype, epsilon, optimizer):
    """The step of an input that is always 0 would be 0/0."""
    net = MLP([2, 1], output="linear", loss="quadratic", dtype=dtype, seed=0)
    with pytest.raises(ValueError, match=rf"epsilon: got .*, expected at least .* {dtype}"):
        net.fit([[1, 0], [2, 0]], [1, 2], optimizer=optimizer(1e-3, epsilon=epsilon))
    least = float(np.finfo(dtype).tiny)
    net.fit([[1, 0], [2, 0]], [1, 2], optimizer=optimizer(1e-3, epsilon=least))


@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e20), ("float64", 1e160)])
def test_norms_whose_squares_overflow(dtype, large):
    net = MLP([1, 1], output="linear", loss="absolute", dtype=dtype, seed=0)
    net.parameters = [1, 0]
    net.fit([[large]], [0.0], epochs=1, optimizer=SGD(0.1), clip_norm=1.0)
    assert_allclose(net.parameters, [0.9, 0], atol=1e-6)
    net = MLP([2, 1], output="linear", loss="absolute", dtype=dtype, seed=0)
    net.parameters = [3 * large, 4 * large, 0]
    net.fit([[1 / large, 0]], [0.0], epochs=1, optimizer=SGD(0.0), max_norm=1.0)
    assert_allclose(net.parameters, [0.6, 0.8, 0], atol=1e-6)
