"""H v, held against differences of gradients and against the full Hessian of another library."""

import naive
import numpy as np
import pytest
from networks import max_error
from numpy.testing import assert_allclose

from fastbp import MLP
from fastbp.data import dataset
from fastbp.kernels.hessian import directional_derivative
from fastbp.kernels.losses import VALID_OUTPUTS
from fastbp.validation import read_only
from fastbp.workspace import RWorkspace

PAIRS = [(loss, output) for loss, outputs in VALID_OUTPUTS.items() for output in outputs]
HIDDEN = list(naive.ACTIVATIONS)


def problem(loss, output, hidden, rows=7, sizes=(3, 5, 4, 2), seed=0):
    """A float64 net, X, targets that the loss accepts, and a direction."""
    rng = np.random.default_rng(seed)
    net = MLP(
        sizes, activation=[hidden] * (len(sizes) - 2), output=output, loss=loss,
        init="book", dtype="float64", seed=seed,
    )  # fmt: skip
    X = rng.standard_normal((rows, sizes[0]))
    y = {
        "cross_entropy": rng.dirichlet(np.ones(sizes[-1]), rows),
        "poisson": rng.poisson(1.5, (rows, sizes[-1])).astype(float),
    }.get(loss, 2 * rng.standard_normal((rows, sizes[-1])))
    return net, X, y, rng.standard_normal(net.n_parameters)


def difference_of_gradients(net, X, y, v, h=1e-6, **options):
    start = net.parameters.copy()
    gradients = []
    for step in (h, -h):
        net.parameters = start + step * v
        gradients.append(net.value_and_grad(X, y, **options)[1])
    net.parameters = start
    return (gradients[0] - gradients[1]) / (2 * h)


@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_differences_of_gradients_for_every_output(loss, output):
    net, X, y, v = problem(loss, output, "tanh")
    expected = difference_of_gradients(net, X, y, v)
    assert_allclose(net.hessian_vector_product(X, y, v), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_differences_of_gradients_for_every_activation(hidden):
    net, X, y, v = problem("cross_entropy", "softmax", hidden)
    expected = difference_of_gradients(net, X, y, v)
    assert_allclose(net.hessian_vector_product(X, y, v), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("output", ["linear", "tanh"])
def test_many_rows_weights_and_penalty(n_outputs, output):
    sizes = (3, 17, 35, n_outputs)
    net, X, y, v = problem("quadratic", output, "sigmoid", rows=300, sizes=sizes)
    s = np.random.default_rng(1).random(300)
    s[::7] = 0
    expected = difference_of_gradients(net, X, y, v, sample_weight=s, l2=0.3)
    product = net.hessian_vector_product(X, y, v, sample_weight=s, l2=0.3)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-7)


def test_float32_is_float64_rounded():
    net, X, y, v = problem("cross_entropy", "softmax", "silu", rows=40)
    single = MLP(net.sizes, activation="silu", dtype="float32")
    single.parameters = net.parameters
    product = single.hessian_vector_product(X, y, v)
    assert product.dtype == np.float32
    # Less than a hundred roundings of 6e-8.
    assert max_error(product, net.hessian_vector_product(X, y, v)) < 5e-6


def test_it_is_linear_and_symmetric():
    net, X, y, v = problem("cross_entropy", "sigmoid", "gelu")
    w = np.random.default_rng(5).standard_normal(net.n_parameters)
    Hv, Hw = (net.hessian_vector_product(X, y, u) for u in (v, w))
    assert_allclose(w @ Hv, v @ Hw, rtol=1e-12)
    assert_allclose(
        net.hessian_vector_product(X, y, 2 * v - w), 2 * Hv - Hw, rtol=1e-10, atol=1e-12
    )


def test_forward_mode_finds_the_gradient_one_weight_at_a_time():
    net, X, y, _ = problem("cross_entropy", "softmax", "tanh", rows=200)
    data = dataset(net.architecture, X, y)
    workspace = RWorkspace(net.architecture)
    slopes = []
    for v in read_only(np.eye(net.n_parameters)):
        bad_row, slope = workspace.run(directional_derivative, net._frozen, v, data)
        assert bad_row == -1
        slopes.append(slope)
    assert_allclose(slopes, net.value_and_grad(X, y)[1], rtol=1e-12, atol=1e-14)


def test_wrong_directions_are_refused():
    net, X, y, v = problem("quadratic", "linear", "tanh")
    with pytest.raises(ValueError, match=r"v: got shape \(3,\)"):
        net.hessian_vector_product(X, y, v[:3])
    with pytest.raises(ValueError, match="v: got NaN"):
        net.hessian_vector_product(X, y, v * np.nan)
    with pytest.raises(ValueError, match="X: got NaN"):
        net.hessian_vector_product(X * np.nan, y, v)
