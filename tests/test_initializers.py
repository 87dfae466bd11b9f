"""Where parameters begin: the distributions that the names promise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastbp import MLP
from fastbp.initializers import INITIALIZERS

N_IN, N_OUT = 400, 300


def drawn(init, dtype="float64", seed=0):
    net = MLP([N_IN, N_OUT, 2], init=init, dtype=dtype, seed=seed)
    return net.weights[0], net.biases[0]


STANDARD_DEVIATIONS = {
    "book": N_IN**-0.5,
    "book_large": 1,
    "glorot_uniform": (2 / (N_IN + N_OUT)) ** 0.5,
    "glorot_normal": (2 / (N_IN + N_OUT)) ** 0.5,
    "he_uniform": (2 / N_IN) ** 0.5,
    "he_normal": (2 / N_IN) ** 0.5,
    "lecun_normal": N_IN**-0.5,
    "orthogonal": N_IN**-0.5,
}


def test_every_name_is_tested():
    assert set(INITIALIZERS) == {"auto", *STANDARD_DEVIATIONS}


@pytest.mark.parametrize(("init", "deviation"), STANDARD_DEVIATIONS.items())
def test_weights_have_the_mean_and_deviation_of_their_distribution(init, deviation):
    weights, biases = drawn(init)
    # 120,000 draws: the standard errors are 0.3 % and 0.2 % of the deviation; 5 of each.
    assert abs(weights.mean()) < 0.015 * deviation
    assert_allclose(weights.std(), deviation, rtol=0.011)
    if init.startswith("book"):
        assert 0.8 < biases.std() < 1.2
    else:
        assert not biases.any()


@pytest.mark.parametrize("init", ["glorot_uniform", "he_uniform"])
def test_uniform_weights_fill_their_interval_and_stay_inside(init):
    weights, _ = drawn(init)
    bound = STANDARD_DEVIATIONS[init] * 3**0.5
    assert np.abs(weights).max() <= bound
    assert weights.max() > 0.999 * bound
    assert weights.min() < -0.999 * bound
    assert_allclose(np.quantile(weights, 0.75), bound / 2, rtol=0.03)


@pytest.mark.parametrize("init", ["book", "book_large", "glorot_normal", "he_normal"])
def test_normal_weights_have_normal_tails(init):
    weights, _ = drawn(init)
    outside = np.mean(np.abs(weights) > 2 * STANDARD_DEVIATIONS[init])
    assert_allclose(outside, 0.0455, rtol=0.1)


def test_orthogonal_rows_or_columns_are_orthonormal():
    net = MLP([20, 12, 30], init="orthogonal", output="linear", loss="quadratic", dtype="float64")
    assert_allclose(net.weights[0] @ net.weights[0].T, np.eye(12), atol=1e-12)
    assert_allclose(net.weights[1].T @ net.weights[1], np.eye(12), atol=1e-12)


def test_orthogonal_signs_are_as_random_as_the_rest():
    # Without a correction, QR makes this entry negative always.
    signs = {np.sign(MLP([3, 3], init="orthogonal", seed=i).weights[0][0, 0]) for i in range(40)}
    assert signs == {-1, 1}


@pytest.mark.parametrize(
    ("activation", "init"),
    [
        ("relu", "he_normal"),
        ("leaky_relu", "he_normal"),
        ("elu", "he_normal"),
        ("gelu", "he_normal"),
        ("silu", "he_normal"),
        ("selu", "lecun_normal"),
        ("tanh", "glorot_uniform"),
        ("sigmoid", "glorot_uniform"),
        ("softplus", "glorot_uniform"),
        ("linear", "glorot_uniform"),
    ],
)
def test_auto_follows_the_activation(activation, init):
    auto = MLP([20, 30, 2], activation=activation, seed=4)
    named = MLP([20, 30, 2], activation=activation, init=init, seed=4)
    assert_array_equal(auto.weights[0], named.weights[0])
    last = np.abs(auto.weights[1]).max()
    assert last <= np.float32((6 / 32) ** 0.5)  # glorot_uniform, for softmax


def test_dtypes_begin_with_the_same_numbers_but_for_rounding():
    single, double = drawn("he_normal", "float32"), drawn("he_normal", "float64")
    assert_array_equal(single[0], double[0].astype(np.float32))


def test_seeds_decide_and_none_is_fresh():
    assert_array_equal(drawn("auto", seed=1)[0], drawn("auto", seed=1)[0])
    assert not np.array_equal(drawn("auto", seed=1)[0], drawn("auto", seed=2)[0])
    assert not np.array_equal(drawn("auto", seed=None)[0], drawn("auto", seed=None)[0])
