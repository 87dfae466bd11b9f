"""The reference is checked too: against arithmetic, the literature and other libraries."""

import math

import naive
import numpy as np
import pytest
from naive import ACTIVATIONS, LOSSES, OUTPUTS, VALID_PAIRS
from numpy.testing import assert_allclose, assert_array_equal

SIZES = [3, 4, 3, 2]
BATCH = 5


def problem(loss, output, sizes=SIZES, seed=1):
    """Random weights, biases, X and targets that the loss accepts."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(0, 0.8, len(naive.is_weight(sizes)))
    X = rng.normal(size=(BATCH, sizes[0]))
    y = {
        "cross_entropy": rng.dirichlet(np.ones(sizes[-1]), BATCH),
        "poisson": rng.poisson(1.5, (BATCH, sizes[-1])).astype(float),
    }.get(loss, 2 * rng.normal(size=(BATCH, sizes[-1])))
    return *naive.unflatten(vector, sizes), X, y


def central_differences(f, x, h=1e-6):
    """df/dx_i, one at a time."""
    slopes = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        slopes[i] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


# The layout of the flat vector


def test_flat_vector_is_w1_b1_w2_b2_row_by_row():
    weights = [np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[10.0, 11.0, 12.0]])]
    biases = [np.array([7.0, 8.0, 9.0]), np.array([13.0])]
    vector = naive.flatten(weights, biases)
    assert_array_equal(vector, np.arange(1.0, 14.0))
    again = naive.unflatten(vector, [2, 3, 1])
    for left, right in zip(weights + biases, again[0] + again[1], strict=True):
        assert_array_equal(left, right)
    assert_array_equal(np.flatnonzero(~naive.is_weight([2, 3, 1])) + 1, [7, 8, 9, 13])


# Activations


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_sigma_prime_is_the_slope_of_sigma(name):
    sigma, sigma_prime = ACTIVATIONS[name]
    z = np.array([-20.0, -3, -1.3, -0.6, -0.01, 0.02, 0.5, 1.7, 4, 20])
    h = 1e-5
    slope = (sigma(z + h) - sigma(z - h)) / (2 * h)
    assert_allclose(sigma_prime(z), slope, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_finite_far_out(name):  # and silent: warnings are errors
    z = np.array([-1e9, -1e4, -745.0, -38.0, 38.0, 745.0, 1e4, 1e9])
    for f in ACTIVATIONS[name]:
        assert np.isfinite(f(z)).all()
        assert f(z).dtype == np.float64


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [
        ("sigmoid", 0.5, 0.25),
        ("tanh", 0, 1),
        ("relu", 0, 0),
        ("leaky_relu", 0, 0.01),
        ("elu", 0, 1),
        ("selu", 0, 1.7580993408473766),
        ("gelu", 0, 0.5),
        ("silu", 0, 0.5),
        ("softplus", math.log(2), 0.5),
        ("linear", 0, 1),
    ],
)
def test_activations_at_zero(name, value, slope):
    sigma, sigma_prime = ACTIVATIONS[name]
    for zero in (0.0, -0.0):
        assert_allclose(sigma(np.array([zero])), value, rtol=1e-15)
        assert_allclose(sigma_prime(np.array([zero])), slope, rtol=1e-15)


def test_saturated_derivatives_keep_their_digits():
    z = np.array([-40.0, 40.0])
    assert_allclose(naive.sigmoid_prime(z), math.exp(-40), rtol=1e-14)
    assert_allclose(naive.tanh_prime(z), 4 * math.exp(-80), rtol=1e-14)
    # Phi(-10), from its asymptotic series: Abramowitz and Stegun 26.2.12
    series = 1 - 1e-2 + 3e-4 - 15e-6 + 105e-8 - 945e-10 + 10395e-12 - 135135e-14
    phi = math.exp(-50) / math.sqrt(2 * math.pi)
    assert_allclose(naive.gaussian_cdf(np.array([-10.0])), phi * series / 10, rtol=1e-7)


def test_selu_keeps_mean_0_and_variance_1():  # which is what its two constants are for
    z = np.linspace(-12, 12, 240_001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    assert_allclose(density @ naive.selu(z), 0, atol=1e-8)
    assert_allclose(density @ naive.selu(z) ** 2, 1, rtol=1e-8)


# Costs


def test_costs_of_one_example_by_hand():
    y = np.array([[1.0, 0.0]])
    z = np.array([[0.25, 2.0]])
    costs = {loss: LOSSES[loss][0](z, y, "linear") for loss in ("quadratic", "absolute", "huber")}
    assert costs == {"quadratic": 0.5 * (0.5625 + 4), "absolute": 2.75, "huber": 0.28125 + 1.5}
    p, q = 1 / (1 + math.exp(-0.25)), 1 / (1 + math.exp(-2))
    assert_allclose(
        naive.cross_entropy(z, y, "sigmoid"), -math.log(p) - math.log(1 - q), rtol=1e-14
    )
    share = math.exp(0.25) / (math.exp(0.25) + math.exp(2))
    assert_allclose(naive.cross_entropy(z, y, "softmax"), -math.log(share), rtol=1e-14)
    assert_allclose(naive.poisson(z, y, "sigmoid"), p - 1 - math.log(p) + q, rtol=1e-14)


def test_saturated_cross_entropies_are_finite_and_right():
    z = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    y = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert_array_equal(naive.cross_entropy(z, y, "softmax"), [0, 2000])
    assert_array_equal(naive.cross_entropy(z, y, "sigmoid"), [0, 2000])
    for output in ("softmax", "sigmoid"):
        error = naive.cross_entropy_error(z, y, output)
        assert_array_equal(error, [[0, 0], [-1, 1]])


def test_absolute_and_huber_at_their_corners():
    z = np.array([[0.0, 1.0, -1.0, 5.0]])
    assert_array_equal(naive.absolute_error(z, 0 * z, "linear"), [[0, 1, -1, 1]])
    assert_array_equal(naive.huber_error(z, 0 * z, "linear"), [[0, 1, -1, 1]])
    assert_array_equal(naive.huber(z, 0 * z, "linear"), [0.5 + 0.5 + 4.5])


@pytest.mark.parametrize("output", ["softplus", "sigmoid", "exponential"])
def test_poisson_costs_nothing_where_it_fits(output):
    z = np.array([[-2.0, 0.3, 1.0]])
    y = naive.output_activation(z, output)
    assert_array_equal(naive.poisson(z, y, output), [0])
    assert_array_equal(naive.poisson_error(z, y, output), [[0, 0, 0]])


# Backpropagation, against central differences: every activation with every valid pair, all with
# two hidden layers, dropout, sample weights, L1 and L2


def test_valid_pairs():
    assert len(VALID_PAIRS) == len(set(VALID_PAIRS)) == 36
    assert {loss for loss, _ in VALID_PAIRS} == set(LOSSES)
    assert {output for _, output in VALID_PAIRS} == {*OUTPUTS, "softmax"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "output"), VALID_PAIRS)
def test_gradients_are_slopes(activation, loss, output):
    weights, biases, X, y = problem(loss, output)
    rng = np.random.default_rng(2)
    names = (activation, output, loss)
    options = {
        "sample_weight": rng.uniform(0.5, 2, BATCH),
        "masks": [(rng.random((BATCH, n)) < 0.75) / 0.75 for n in SIZES[1:-1]],
    }
    penalties = {"l1": 0.02, "l2": 0.3}

    def cost(vector):
        return naive.value_and_grad(
            *naive.unflatten(vector, SIZES), X, y, *names, **options, **penalties
        )[0]

    gradient = naive.value_and_grad(weights, biases, X, y, *names, **options, **penalties)[1]
    slopes = central_differences(cost, naive.flatten(weights, biases))
    # The cost of an exponential output may be large, and its rounding is divided by h.
    atol = 1e-8 * max(1, cost(naive.flatten(weights, biases)))
    assert_allclose(gradient, slopes, rtol=1e-6, atol=atol)

    nabla_x = naive.input_gradient(weights, biases, X, y, *names, **options)
    slopes = central_differences(
        lambda x: naive.value_and_grad(weights, biases, x, y, *names, **options)[0], X
    )
    assert_allclose(nabla_x, slopes, rtol=1e-6, atol=atol)


def test_one_activation_per_layer():
    weights, biases, X, y = problem("quadratic", "linear")
    _, (a0, a1, a2, a3) = naive.forward(weights, biases, X, ["tanh", "relu"], "linear")
    assert_array_equal(a0, X)
    assert_allclose(a1, np.tanh(X @ weights[0].T + biases[0]), rtol=1e-15)
    assert_allclose(a2, np.maximum(a1 @ weights[1].T + biases[1], 0), rtol=1e-15)
    assert_allclose(a3, a2 @ weights[2].T + biases[2], rtol=1e-15)
    value, gradient = naive.value_and_grad(
        weights, biases, X, y, ["tanh", "relu"], "linear", "quadratic"
    )
    assert_allclose(value, 0.5 * ((a3 - y) ** 2).sum() / BATCH, rtol=1e-14)
    slopes = central_differences(
        lambda v: naive.value_and_grad(
            *naive.unflatten(v, SIZES), X, y, ["tanh", "relu"], "linear", "quadratic"
        )[0],
        naive.flatten(weights, biases),
    )
    assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-8)


def test_layer_errors_are_the_bias_gradients_of_each_example_alone():
    weights, biases, X, y = problem("cross_entropy", "softmax")
    names = ("tanh", "softmax", "cross_entropy")
    s = np.array([1.0, 2.0, 0.0, 0.5, 3.0])
    deltas = naive.layer_errors(weights, biases, X, y, *names)
    weighted = naive.layer_errors(weights, biases, X, y, *names, sample_weight=s)
    assert [delta.shape for delta in deltas] == [(BATCH, n) for n in SIZES[1:]]
    for i in range(BATCH):
        one = slice(i, i + 1)
        gradient = naive.value_and_grad(weights, biases, X[one], y[one], *names)[1]
        for layer, nabla_b in enumerate(naive.unflatten(gradient, SIZES)[1]):
            assert_allclose(deltas[layer][i], nabla_b, rtol=1e-12)
            assert_allclose(weighted[layer][i], s[i] * nabla_b, rtol=1e-12)


def test_a_sample_weight_of_2_counts_an_example_twice():
    weights, biases, X, y = problem("quadratic", "linear")
    names = ("silu", "linear", "quadratic")
    once = naive.value_and_grad(weights, biases, X, y, *names, sample_weight=[2, 1, 0, 1, 1])
    rows = [0, 0, 1, 3, 4]
    twice = naive.value_and_grad(weights, biases, X[rows], y[rows], *names)
    assert_allclose(once[0], twice[0], rtol=1e-14)
    assert_allclose(once[1], twice[1], rtol=1e-12)


def test_penalties_are_on_weights_only_with_slope_0_at_0():
    weights = [np.array([[0.0, -2.0], [3.0, 0.5]])]
    biases = [np.array([4.0, -5.0])]
    X = np.ones((1, 2))
    y = X @ weights[0].T + biases[0]
    names = ([], "linear", "quadratic")  # a perfect fit: what is left is the penalty
    value, gradient = naive.value_and_grad(weights, biases, X, y, *names, l1=0.1, l2=0.5)
    assert_allclose(value, 0.25 * (4 + 9 + 0.25) + 0.1 * 5.5, rtol=1e-15)
    assert_allclose(gradient, [0, -1.1, 1.6, 0.35, 0, 0], rtol=1e-15)


def test_labels_are_one_hot_or_one_column():
    assert_array_equal(naive.as_targets([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    assert_array_equal(naive.as_targets([1, 0], 1), [[1.0], [0.0]])
    assert_array_equal(naive.as_targets([0.5, -2], 1), [[0.5], [-2]])
    assert_array_equal(naive.as_targets([[1, 2], [3, 4]], 2), [[1.0, 2.0], [3.0, 4.0]])
    assert naive.as_targets([1, 0], 1).dtype == np.float64


# Numbers printed by others


def test_mazur_worked_example():
    """Matt Mazur, "A Step by Step Backpropagation Example", 2015: 2-2-2, eta 0.5, biases held.

    The page's error after one step and outputs after 10,000 (0.291027924; 0.015912196,
    0.984065734) belong to a variant that sends the error back through weights already updated.
    Those below were recomputed with backpropagation proper; the others are the page's.
    """
    sizes, X, y = [2, 2, 2], [[0.05, 0.10]], [[0.01, 0.99]]
    w = naive.flatten(
        [np.array([[0.15, 0.20], [0.25, 0.30]]), np.array([[0.40, 0.45], [0.50, 0.55]])],
        [np.array([0.35, 0.35]), np.array([0.60, 0.60])],
    )
    names = ("sigmoid", "sigmoid", "quadratic")
    held = naive.is_weight(sizes)

    _, (_, hidden, outputs) = naive.forward(*naive.unflatten(w, sizes), X, *names[:2])
    assert [f"{a:.9f}" for a in (*hidden[0], *outputs[0])] == [
        "0.593269992",
        "0.596884378",
        "0.751365070",
        "0.772928465",
    ]

    errors = []
    for step in range(1, 10_001):
        error, gradient = naive.value_and_grad(*naive.unflatten(w, sizes), X, y, *names)
        errors.append(error)
        w = w - 0.5 * gradient * held
        if step == 1:
            printed = ["0.149780716", "0.19956143", "0.24975114", "0.29950229"]
            printed += ["0.35891648", "0.408666186", "0.511301270", "0.561370121"]
            for value, digits in zip(w[held], printed, strict=True):
                assert f"{value:.{len(digits) - 2}f}" == digits

    assert f"{errors[0]:.9f}" == "0.298371109"
    assert f"{errors[1]:.9f}" == "0.291027774"
    assert f"{errors[-1]:.10f}" == "0.0000351085"
    _, (_, _, outputs) = naive.forward(*naive.unflatten(w, sizes), X, *names[:2])
    assert [f"{a:.9f}" for a in outputs[0]] == ["0.015913620", "0.984064274"]


# Other libraries


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
@pytest.mark.parametrize("kind", ["regressor", "multiclass", "binary"])
def test_one_step_of_scikit_learn(activation, kind):
    """One partial_fit of plain SGD over one batch moves scikit-learn's weights by -eta dC/dw.

    Its penalty is alpha/2 sum w^2 / batch, and its coefs_ are our weights transposed.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 4))
    y, output, loss, model = {
        "regressor": (rng.normal(size=(30, 2)), "linear", "quadratic", MLPRegressor),
        "multiclass": (np.arange(30) % 3, "softmax", "cross_entropy", MLPClassifier),
        "binary": (np.arange(30) % 2, "sigmoid", "cross_entropy", MLPClassifier),
    }[kind]
    name = {"logistic": "sigmoid", "identity": "linear"}.get(activation, activation)
    eta, alpha = 0.5, 0.7
    net = model(
        hidden_layer_sizes=(5, 6),
        activation=activation,
        solver="sgd",
        momentum=0,
        learning_rate_init=eta,
        alpha=alpha,
        random_state=0,
    )
    first = {} if kind == "regressor" else {"classes": np.unique(y)}
    net.partial_fit(X, y, **first)
    weights = [coef.T.copy() for coef in net.coefs_]
    biases = [intercept.copy() for intercept in net.intercepts_]
    net.partial_fit(X, y)
    moved = naive.flatten([coef.T for coef in net.coefs_], net.intercepts_)

    value, gradient = naive.value_and_grad(
        weights, biases, X, y, name, output, loss, l2=alpha / len(X)
    )
    assert_allclose(moved, naive.flatten(weights, biases) - eta * gradient, rtol=0, atol=1e-14)
    if kind != "regressor":  # scikit-learn averages a regression's cost over outputs too
        assert_allclose(net.loss_, value, rtol=1e-12)
