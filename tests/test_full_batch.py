"""L-BFGS and Newton-CG: they converge, record, stop and refuse."""

import numpy as np
import pytest
from api_problems import blobs, everything, line
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from fastbp import LBFGS, MLP, NewtonCG, SGD
from fastbp.errors import DivergenceError


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


def test_training_goes_on_with_another_optimizer():
    X, y = blobs()
    net = MLP([4, 6, 3], seed=0)
    net.partial_fit(X, y)
    loss = net.fit(X, y, epochs=5, optimizer=LBFGS()).loss[-1]
    assert net.fit(X, y, epochs=5, optimizer=SGD(0.1)).loss[-1] < loss
