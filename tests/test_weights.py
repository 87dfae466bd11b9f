"""Weights of rows and classes: 0, tiny, huge; only their ratios matter."""

import numpy as np
import pytest
from api_problems import blobs, line
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import LBFGS, MLP, SGD
from fastbp.sklearn import MLPClassifier

X, Y = blobs(rows=60)
HALF = (np.arange(60) < 30).astype(float)
ROUNDING = {"float32": 1e-6, "float64": 1e-14}  # a few, each 6e-8 or 1e-16, of numbers near 1


def classifier(**arguments):
    return MLP([4, 5, 3], seed=0, **arguments)


def regressor(**arguments):
    return MLP([3, 1], output="linear", loss="quadratic", seed=0, **arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_weight_0_are_as_good_as_absent(dtype):
    net = classifier(dtype=dtype)
    cost, gradient = net.value_and_grad(X, Y, sample_weight=HALF)
    cost_of_half, gradient_of_half = net.value_and_grad(X[:30], Y[:30])
    assert_allclose(cost, cost_of_half, rtol=ROUNDING[dtype])
    assert_allclose(gradient, gradient_of_half, atol=ROUNDING[dtype])
    other = classifier(dtype=dtype)
    net.fit(X, Y, sample_weight=HALF, batch_size=60, optimizer=SGD(0.1), shuffle=False)
    other.fit(X[:30], Y[:30], batch_size=30, optimizer=SGD(0.1), shuffle=False)
    assert_allclose(net.parameters, other.parameters, atol=10 * ROUNDING[dtype])  # of ten epochs


def test_classes_of_weight_0_are_as_good_as_absent():
    net, rows = classifier(), Y != 1
    for method in (net.fit, net.partial_fit):
        before = net.parameters.copy()
        history = method(X, Y, class_weight={1: 0}, batch_size=60, shuffle=False)
        other = classifier()
        other.parameters = before
        expected = other.fit(X[rows], Y[rows], batch_size=60, epochs=history.epochs, shuffle=False)
        assert_allclose(history.loss, expected.loss, rtol=1e-5)
        assert_allclose(history.accuracy, expected.accuracy)


def test_a_step_without_weight_has_no_gradient():
    net, other = classifier(), classifier()
    weights = np.zeros(60)
    weights[0] = 1
    history = net.fit(
        X, Y, sample_weight=weights, batch_size=1, epochs=1, optimizer=SGD(0.1), shuffle=False
    )
    expected = other.fit(X[:1], Y[:1], epochs=1, optimizer=SGD(0.1))
    assert_array_equal(net.parameters, other.parameters)
    assert history.loss == expected.loss


@pytest.mark.parametrize("size", [1e-320, 1e-60, 1e-40, 1e-20, 1e20, 3e38, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_extreme_size_act_by_their_ratios(dtype, size):
    moderate = np.where(HALF == 1, 1.0, 0.5)
    extreme = size * moderate
    results = []
    for weights, more in ((moderate, {}), (extreme, {}), (moderate, {0: size, 1: size, 2: size})):
        net = classifier(dtype=dtype)
        value = net.value_and_grad(X, Y, sample_weight=weights)
        history = net.fit(X, Y, sample_weight=weights, class_weight=more or None, epochs=2)
        net.partial_fit(X, Y, sample_weight=weights, class_weight=more or None)
        product = net.hessian_vector_product(X, Y, net.parameters, sample_weight=weights)
        results.append((value[0], value[1], history.loss, net.parameters, product))
    for result in results[1:]:
        for got, expected in zip(result, results[0], strict=True):
            assert_allclose(got, expected, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])


def test_a_power_of_two_changes_no_bit():
    nets = [classifier() for _ in range(3)]
    for net, factor in zip(nets, (1.0, 2.0**-900, 2.0**900), strict=True):
        net.fit(X, Y, sample_weight=factor * (1 + np.arange(60) % 7), epochs=2)
    assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert_array_equal(nets[0].parameters, nets[2].parameters)


def test_weights_that_leave_nothing_are_refused():
    net = classifier()
    for method in (net.fit, net.partial_fit, net.value_and_grad):
        with pytest.raises(ValueError, match=r"^sample_weight: got only zeros"):
            method(X, Y, sample_weight=np.zeros(60))
    for method in (net.fit, net.partial_fit):
        with pytest.raises(ValueError, match=r"^class_weight: got weight 0 for every row"):
            method(X, Y, class_weight={0: 0, 1: 0, 2: 0})
        with pytest.raises(ValueError, match=r"^class_weight: got weight 0 for every row"):
            method(X, Y, class_weight={0: 0}, sample_weight=Y == 0)


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh", "linear"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_of_weight_0_may_overflow_in_hidden_layers(dtype, activation):
    rows, targets = line()
    rows = rows.astype(dtype)
    weights = np.ones(60)
    weights[7] = 0
    options = {"output": "linear", "loss": "quadratic", "seed": 0, "dtype": dtype}
    net = MLP([3, 5, 4, 1], activation=activation, **options)
    rows[7] = 0
    v = np.ones(net.n_parameters)
    _, expected = net.value_and_grad(rows, targets, sample_weight=weights)
    product = net.hessian_vector_product(rows, targets, v, sample_weight=weights)
    rows[7] = 0.9 * np.finfo(dtype).max
    _, got = net.value_and_grad(rows, targets, sample_weight=weights)
    assert_array_equal(got, expected)
    got = net.hessian_vector_product(rows, targets, v, sample_weight=weights)
    assert_array_equal(got, product)
    for arguments in ({"batch_size": 20}, {"dropout": 0.2}, {"clip_norm": 1.0}):
        history = net.fit(rows, targets, sample_weight=weights, epochs=2, **arguments)
        assert np.isfinite(history.loss).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_of_weight_0_may_overflow(dtype):
    rows, targets = line()
    rows, net = rows.astype(dtype), regressor(dtype=dtype)
    weights = np.ones(60)
    weights[7] = 0
    net.weights[0][:] = 2.0
    rows[7] = 0
    _, expected = net.value_and_grad(rows, targets, sample_weight=weights)
    rows[7] = 0.9 * np.finfo(dtype).max
    assert np.isinf(net.forward(rows[7:8])).all()
    _, got = net.value_and_grad(rows, targets, sample_weight=weights)
    assert_array_equal(got, expected)
    for arguments in ({"batch_size": 20}, {"optimizer": LBFGS()}):
        history = net.fit(rows, targets, sample_weight=weights, epochs=2, **arguments)
        assert np.isfinite(history.loss).all()


def test_the_drop_in_refuses_weights_whose_sum_overflows():
    for method in ("fit", "partial_fit"):
        model = MLPClassifier(hidden_layer_sizes=(5,))
        more = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
        with pytest.raises(ValueError, match=r"sum of sample_weight overflows"):
            getattr(model, method)(X, Y, sample_weight=np.full(60, 1e308), **more)
