"""The reference optimizers: against closed forms, scikit-learn and PyTorch."""

import naive
import naive_optimizers as optimizers
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

W = np.array([1.0, -2.0, 0.5, 3.0])
G = np.array([0.3, -4.0, 0.002, 50.0])
T = 7


def after(optimizer, steps=T, w=W, g=G):
    """The parameters after some steps of one constant gradient, which has closed forms."""
    for _ in range(steps):
        w = optimizer.step(w, g)
    return w


def test_sgd():
    assert_allclose(after(optimizers.SGD(0.1)), W - 0.1 * T * G, rtol=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):  # v_t = -eta g (1 - mu^t) / (1 - mu)
    mu, t = 0.9, np.arange(1, T + 1)
    v = -(1 - mu**t) / (1 - mu)
    moves = mu * v - 1 if nesterov else v
    expected = W + 0.1 * G * moves.sum()
    assert_allclose(after(optimizers.SGD(0.1, mu, nesterov)), expected, rtol=1e-13)


def test_adam():  # m_hat = g, v_hat = g^2
    expected = W - T * 1e-3 * G / (np.abs(G) + 1e-8)
    assert_allclose(after(optimizers.Adam()), expected, rtol=1e-14)


def test_adamw_decays_weights_only_and_before_the_step():
    is_weight = np.array([True, True, True, False])
    still = after(optimizers.AdamW(is_weight, 0.1, weight_decay=0.5), g=0 * G)
    assert_allclose(still, W * np.where(is_weight, 0.95**T, 1), rtol=1e-14)
    moved = after(optimizers.AdamW(is_weight, 0.1, weight_decay=0.5), steps=1)
    expected = W * np.where(is_weight, 0.95, 1) - 0.1 * G / (np.abs(G) + 1e-8)
    assert_allclose(moved, expected, rtol=1e-14)


def test_rmsprop():  # v_t = (1 - rho^t) g^2
    roots = np.sqrt(1 - 0.99 ** np.arange(1, T + 1))[:, None] * np.abs(G)
    expected = W - 1e-2 * (G / (roots + 1e-8)).sum(axis=0)
    assert_allclose(after(optimizers.RMSprop()), expected, rtol=1e-13)


def test_adagrad():  # v_t = t g^2
    roots = np.sqrt(np.arange(1, T + 1))[:, None] * np.abs(G)
    expected = W - 1e-2 * (G / (roots + 1e-10)).sum(axis=0)
    assert_allclose(after(optimizers.Adagrad()), expected, rtol=1e-13)


def test_nothing_is_changed_in_place():
    w, g = W.copy(), G.copy()
    w.flags.writeable = g.flags.writeable = False
    for optimizer in (
        optimizers.SGD(0.1, 0.9, True),
        optimizers.AdamW(np.ones(4, dtype=bool)),
        optimizers.RMSprop(),
        optimizers.Adagrad(),
    ):
        after(optimizer, w=w, g=g)
    optimizers.clip_by_norm(g, 1)
    optimizers.max_norm(w, [1, 2], 1)


def test_clip_by_norm():
    g = np.array([3.0, -4.0])
    assert_array_equal(optimizers.clip_by_norm(g, 5.0), g)
    assert_array_equal(optimizers.clip_by_norm(g, 6.0), g)
    assert_allclose(optimizers.clip_by_norm(g, 1.0), [0.6, -0.8], rtol=1e-15)
    assert_array_equal(optimizers.clip_by_norm(0 * g, 1.0), 0 * g)


def test_max_norm_is_by_row_and_leaves_biases():
    w = naive.flatten([np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])], [np.array([9.0, 9, 9])])
    expected = [1.2, 1.6, 0.3, 0.4, 0, 0, 9, 9, 9]
    assert_allclose(optimizers.max_norm(w, [2, 3], 2.0), expected, rtol=1e-15)


@pytest.mark.parametrize("nesterov", [False, True])
def test_scikit_learn_sgd(nesterov):
    """Five full-batch epochs in its MLPRegressor: two libraries' whole training loops."""
    from sklearn.neural_network import MLPRegressor

    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    sizes, eta, mu, alpha = [3, 4, 1], 0.1, 0.8, 0.2

    def train(eta, epochs):
        net = MLPRegressor(
            hidden_layer_sizes=(4,),
            activation="tanh",
            solver="sgd",
            learning_rate_init=eta,
            momentum=mu,
            nesterovs_momentum=nesterov,
            alpha=alpha,
            random_state=0,
        )
        for _ in range(epochs):
            net.partial_fit(X, y)
        return naive.flatten([coef.T for coef in net.coefs_], net.intercepts_)

    w = train(eta=1e-300, epochs=1)  # too small a step to move: the initial weights
    sgd = optimizers.SGD(eta, mu, nesterov)
    for _ in range(5):
        _, g = naive.value_and_grad(
            *naive.unflatten(w, sizes), X, y, "tanh", "linear", "quadratic", l2=alpha / len(X)
        )
        w = sgd.step(w, g)
    assert_allclose(w, train(eta, epochs=5), rtol=1e-12, atol=1e-14)
