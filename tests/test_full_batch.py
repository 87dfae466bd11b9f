"""L-BFGS and Newton-CG: they converge, record, stop and refuse."""

import copy

import numpy as np
import pytest
from api_problems import blobs, everything, line
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from soak_tasks import full_batch_fits

from fastbp import LBFGS, MLP, NewtonCG, SGD
from fastbp.errors import DivergenceError
from fastbp.full_batch import FullBatch
from fastbp.kernels import backward, hessian
from fastbp.line_search import Point


@pytest.mark.parametrize("optimizer", [LBFGS(1e-4), NewtonCG(1e-6)])
def test_both_converge_on_digits(optimizer):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    net = MLP([64, 12, 10], activation="tanh", dtype="float64", seed=0)
    history = net.fit(X, y, epochs=1000, optimizer=optimizer, l2=0.01)
    gradient = net.value_and_grad(X, y, l2=0.01)[1]
    assert np.abs(gradient).max() <= optimizer.tolerance
    assert history.epochs < 1000
    assert history.accuracy[-1] > 0.97
    # A minimum, not a saddle: no direction tried goes down.
    for v in np.random.default_rng(0).standard_normal((20, net.n_parameters)):
        assert v @ net.hessian_vector_product(X, y, v, l2=0.01) > 0


def test_both_find_the_same_minimum_of_a_convex_cost():
    X, y = blobs()
    nets = [MLP([4, 3], dtype="float64", seed=seed) for seed in (0, 1)]
    for net, optimizer in zip(nets, [LBFGS(1e-9), NewtonCG(1e-9)], strict=True):
        net.fit(X, y, epochs=500, optimizer=optimizer, l2=0.1)
    assert_allclose(nets[0].weights[0], nets[1].weights[0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [LBFGS(1e-4), LBFGS(1e-4, memory=3), NewtonCG(1e-4)])
def test_they_are_as_quick_as_scipys(optimizer, dtype, monkeypatch):
    """To the same tolerance; of gradients and products H v, which cost two, together."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    net, calls = MLP([64, 10], dtype=dtype, seed=0), []

    def count(module, name):
        kernel = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a: (calls.append(name), kernel(*a))[1])

    def cost(vector):
        net.parameters = vector
        value, gradient = net.value_and_grad(X, y, l2=1e-3)
        return value, gradient.astype(np.float64)

    def product(vector, v):
        net.parameters = vector
        return net.hessian_vector_product(X, y, v.astype(dtype), l2=1e-3).astype(np.float64)

    def stop(vector):
        if np.abs(cost(vector)[1]).max() <= optimizer.tolerance:
            raise StopIteration
        calls.pop()

    is_newton = isinstance(optimizer, NewtonCG)
    method = "Newton-CG" if is_newton else "L-BFGS-B"
    options = {"xtol": 1e-300} if is_newton else {"ftol": 0, "gtol": 0, "maxcor": optimizer.memory}
    count(backward, "value_and_grad")
    count(hessian, "hessian_vector_product")
    start = net.parameters.astype(np.float64)
    minimize(cost, start, jac=True, hessp=product if is_newton else None, method=method,
             callback=stop, options=options | {"maxiter": 500})  # fmt: skip
    theirs, theirs_cost = [*calls], cost(net.parameters)[0]
    net.parameters = start
    calls.clear()
    net.fit(X, y, epochs=500, optimizer=optimizer, l2=1e-3)
    ours = [*calls]
    assert cost(net.parameters)[0] <= 1.001 * theirs_cost

    def work(made):
        return made.count("value_and_grad") + 2 * made.count("hessian_vector_product")

    assert work(ours) <= 1.5 * work(theirs)  # rounding moves each by a fifth


def test_the_direction_of_lbfgs_is_that_of_the_dense_matrix():
    """Nocedal and Wright 2006, (7.16), with the scale (7.20)."""
    rng = np.random.default_rng(0)
    optimizer, n = LBFGS(memory=3), 6
    slots, pairs = np.zeros((optimizer.slots, n)), []
    before = Point(rng.standard_normal(n), 0.0, rng.standard_normal(n))
    square = rng.standard_normal((n, n))
    steepest = -before.gradient / np.linalg.norm(before.gradient)
    assert_allclose(optimizer.direction(None, before, slots), steepest)
    for _ in range(5):
        w = before.parameters + rng.standard_normal(n)
        after = Point(w, 0.0, before.gradient + square @ square.T @ (w - before.parameters))
        optimizer.remember(before, after, slots)
        pairs.append((w - before.parameters, after.gradient - before.gradient))
        before = after
    s, y = pairs[-1]
    H = np.eye(n) * (s @ y) / (y @ y)
    for s, y in pairs[-3:]:
        V = np.eye(n) - np.outer(y, s) / (s @ y)
        H = V.T @ H @ V + np.outer(s, s) / (s @ y)
    assert_allclose(optimizer.direction(None, before, slots), -H @ before.gradient, rtol=1e-8)
    # Where the curvature is negative, nothing is learned.
    known = slots.copy()
    optimizer.remember(before, Point(before.parameters + s, 0.0, before.gradient - y), slots)
    assert_array_equal(slots, known)


class Quadratic:
    """Has the Hessian that it is given."""

    def __init__(self, hessian):
        self.hessian, self.products = hessian, 0

    def curvature(self, point, direction):
        self.products += 1
        return self.hessian @ direction


def test_the_direction_of_newton_solves_or_goes_down():
    """Nocedal and Wright 2006, algorithm 7.1."""
    n = 8
    square = np.random.default_rng(1).standard_normal((n, n))
    g = 1e-9 * np.random.default_rng(2).standard_normal(n)  # the nearer, the more exactly
    point, slots = Point(np.zeros(n), 0.0, g), np.zeros((1, 0))
    convex = Quadratic(square @ square.T + np.eye(n))
    p = NewtonCG().direction(convex, point, slots)
    assert_allclose(p, np.linalg.solve(convex.hessian, -g), rtol=1e-3)
    # Negative curvature at once, and after a step or more.
    assert_allclose(NewtonCG().direction(Quadratic(-np.eye(n)), point, slots), -g)
    saddle = Quadratic(np.diag([*range(1, n), -0.1]))
    p = NewtonCG().direction(saddle, point, slots)
    assert 1 < saddle.products < n
    assert p @ g < 0
    # None at all is as bad as negative.
    assert_allclose(NewtonCG().direction(Quadratic(np.zeros((n, n))), point, slots), -g)


class Uphill(FullBatch):
    """Its directions never go down."""

    slots = 1

    def direction(self, objective, point, slots):
        return point.gradient.astype(np.float64)


def test_where_a_direction_leads_nowhere_the_steepest_is_tried():
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    history = net.fit(X, y, epochs=10, optimizer=Uphill())
    assert history.loss[9] < history.loss[4] < history.loss[0]
    slots = np.ones((1, 2))
    point = Point(np.ones(2), 1.0, np.ones(2))

    class Bowl:
        def evaluate(self, vector):
            return Point(vector, vector @ vector / 2, vector)

    assert Uphill().iterate(Bowl(), point, slots).cost < 1
    assert not slots.any()  # what was remembered led uphill


@pytest.mark.parametrize("optimizer", [LBFGS(0.0), NewtonCG(0.0)])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_where_rounding_hides_the_way_down_training_ends(optimizer, activation):
    """Or goes on in ever smaller steps; the cost never rises by more than its own rounding."""
    X, y = blobs()
    net = MLP([4, 6, 3], activation=activation, seed=0)
    costs = [net.value_and_grad(X, y, l2=0.01)[0]]

    def note(net, logs):
        costs.append(net.value_and_grad(X, y, l2=0.01)[0])

    history = net.fit(X, y, epochs=3000, optimizer=optimizer, l2=0.01, callbacks=[note])
    assert history.epochs == len(costs) - 1 < 3000
    assert np.isfinite(net.parameters).all()
    assert (np.diff(costs) < 0).all()
    assert np.abs(net.value_and_grad(X, y, l2=0.01)[1]).max() < (
        0.02 if activation == "relu" else 1e-4
    )


def test_float32_and_the_name():
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    history = net.fit(X, y, epochs=50, optimizer="lbfgs", validation_data=(X, y))
    assert history.accuracy[-1] == history.val_accuracy[-1] == 1
    assert set(history) == {
        "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "examples_per_second",
    }  # fmt: skip
    assert_allclose(history.loss[-1], net.evaluate(X, y).loss, rtol=1e-6)


def test_callbacks_see_every_iteration_and_may_end_it():
    X, y = line()
    seen = []

    def callback(net, logs):
        seen.append((logs["epoch"], logs["loss"], net.parameters.copy()))
        return len(seen) == 3

    net = MLP([3, 5, 1], activation="tanh", output="linear", loss="quadratic", seed=0)
    history = net.fit(X, y, epochs=50, optimizer=LBFGS(), callbacks=[callback])
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    assert [loss for _, loss, _ in seen] == history.loss
    assert history.loss[0] > history.loss[1] > history.loss[2]
    assert_array_equal(net.parameters, seen[-1][2])
    assert "accuracy" not in history


def test_ctrl_c_keeps_the_last_iteration():
    X, y = blobs()

    def interrupt(net, logs):
        if logs["epoch"] == 2:
            raise KeyboardInterrupt

    net = MLP([4, 6, 3], seed=0)
    with pytest.warns(UserWarning, match="interrupted in iteration 3"):
        history = net.fit(X, y, epochs=50, optimizer=LBFGS(), callbacks=[interrupt])
    assert history.epochs == 2
    assert_allclose(net.evaluate(X, y).loss, history.loss[-1], rtol=1e-6)


def test_divergence_keeps_the_last_iteration():
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", seed=0)
    before = net.parameters.copy()
    with pytest.raises(DivergenceError):
        net.fit(X * 1e30, y, optimizer=LBFGS())
    assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("optimizer", [LBFGS(), NewtonCG()])
def test_sums_that_overflow_are_divergence(optimizer):
    X, y = line()
    net = MLP([3, 1], output="linear", loss="quadratic", dtype="float64", seed=0)
    before = net.parameters.copy()
    with pytest.raises(DivergenceError, match="stopped being finite in epoch 1"):
        net.fit(X.astype(np.float64) * 1e100, y, optimizer=optimizer)
    assert_array_equal(net.parameters, before)


def test_a_step_at_which_the_cost_overflows_is_shortened(tmp_path):
    """A problem of the soak's: its second step was too long for float32, and ended the fit."""
    full_batch_fits(np.random.default_rng(373111099), tmp_path)


def test_a_net_that_is_not_finite_is_refused_as_it_is():
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    net.partial_fit(X, y)
    net.biases[0][1] = np.nan
    before = everything(net)
    with pytest.raises(ValueError, match="parameters"):
        net.fit(X, y, optimizer=LBFGS())
    assert everything(net) == before


@pytest.mark.parametrize("optimizer", [LBFGS(), NewtonCG()])
def test_a_callback_that_sets_nan_is_told_so(optimizer):
    X, y = blobs()

    def spoil(net, logs):
        net.biases[0][1] = np.nan

    net = MLP([4, 6, 3], seed=0)
    with pytest.raises(ValueError, match="parameters"):
        net.fit(X, y, epochs=5, optimizer=optimizer, callbacks=[spoil])
    assert np.isnan(net.biases[0][1])


@pytest.mark.parametrize(
    "wrong",
    [{"dropout": 0.5}, {"l1": 0.1}, {"clip_norm": 1.0}, {"max_norm": 2}, {"dropout": [0.0]}],
)
def test_what_means_nothing_to_a_minimizer_is_refused(wrong):
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    before = everything(net)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: got .* with LBFGS"):
        net.fit(X, y, optimizer=LBFGS(), **wrong)
    with pytest.raises(TypeError, match="optimizer"):
        net.partial_fit(X, y, optimizer=LBFGS())
    assert everything(net) == before


def test_arguments():
    assert LBFGS(memory=5) == LBFGS(1e-5, 5)
    with pytest.raises(ValueError, match="memory"):
        LBFGS(memory=0)
    with pytest.raises(ValueError, match="tolerance"):
        NewtonCG(-1.0)
    X, y = blobs()
    with pytest.raises(ValueError, match="X: got NaN"):
        MLP([4, 3]).fit(X * np.nan, y, optimizer="lbfgs")
    MLP([4, 3]).fit(X, y, epochs=1, optimizer="lbfgs", l1=np.float32(0), dropout=0, clip_norm=None)


def test_training_goes_on_with_another_optimizer():
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    net.partial_fit(X, y)
    loss = net.fit(X, y, epochs=5, optimizer=LBFGS()).loss[-1]
    assert net.fit(X, y, epochs=5, optimizer=SGD(0.1)).loss[-1] < loss


def test_advice_after_a_divergence_can_be_followed():
    """These optimizers have no learning rate, and clip no gradient."""
    net = MLP([1, 1], output="linear", loss="quadratic", seed=0)
    with pytest.raises(DivergenceError, match=r"in epoch 1; .* Try inputs") as caught:
        net.fit([[1e30], [2e30]], [1.0, 2.0], optimizer="lbfgs")
    assert caught.value.learning_rate is None
    assert str(copy.copy(caught.value)) == str(caught.value)  # as pickle makes one


def test_a_failure_before_the_first_iteration_leaves_what_partial_fit_remembers():
    X, y = line()
    nets = [MLP([3, 1], output="linear", loss="quadratic", seed=0) for _ in range(2)]
    for net in nets:
        net.partial_fit(X, y)
    with pytest.raises(DivergenceError):
        nets[0].fit(X * 1e30, y, optimizer="lbfgs")
    for net in nets:
        net.partial_fit(X, y)
    assert_array_equal(nets[0].parameters, nets[1].parameters)
