"""Every activation with every valid pair of loss and output: costs, gradients and errors.

float64 against the reference and against central differences, float32 against float64.

Errors are measured over the largest number of their layer. A gradient is a sum over the rows of
a batch whose terms cancel, so the error of an element goes with the size of the terms; and the
largest element of the layer tells that size, where the element itself may be almost 0. Over the
whole vector the largest would hide errors in the first layers, whose gradients are small.
"""

from itertools import pairwise
from typing import NamedTuple

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import max_error, Network, random_targets, random_vector

from fastbp import MLP
from fastbp.kernels import activations as kernel_activations
from fastbp.kernels import layout, losses
from fastbp.kernels.target import VECTOR_BYTES

ACTIVATIONS = list(naive.ACTIVATIONS)
PAIRS = naive.VALID_PAIRS

# Some ten roundings of 1e-16 or 6e-8 in each of a few products, with sums over 70 terms.
DOUBLE = 1e-12
SINGLE = 1e-4


class Problem(NamedTuple):
    sizes: list
    hidden: list  # names
    output: str
    loss: str
    vector: np.ndarray
    X: np.ndarray
    y: np.ndarray  # labels or targets
    weights: np.ndarray | None  # of the rows
    l1: float
    l2: float

    @property
    def names(self):
        return self.hidden, self.output, self.loss

    @property
    def targets(self):
        return naive.as_targets(self.y, self.sizes[-1])

    def network(self, dtype=np.float64, vector=None, **options):
        vector = self.vector if vector is None else vector
        return Network(self.sizes, *self.names, vector, dtype, **options)

    def layers(self, vector=None):
        return naive.unflatten(self.vector if vector is None else vector, self.sizes)


KINKS = {"relu", "leaky_relu", "selu"}  # slopes that jump at z = 0


def distance_to_kinks(problem):
    """How near some z, a - y or weight lies to a number where a derivative jumps."""
    zs, (*_, a) = naive.forward(*problem.layers(), problem.X, problem.hidden, problem.output)
    names = [*problem.hidden, problem.output]
    at_risk = [z for z, name in zip(zs, names, strict=True) if name in KINKS]
    if problem.loss == "absolute":
        d = a - problem.targets
        at_risk.append(d[d != 0])  # a relu gives the very 0 of a label, and stays there
    if problem.l1:
        at_risk += problem.layers()[0]
    return min((np.abs(v).min(initial=1.0) for v in at_risk), default=1.0)


def make_problem(seed, sizes, hidden, output, loss, rows, *, labels=False, weighted=False,
                 l1=0.0, l2=0.0):  # fmt: skip
    """Draw until nothing is near a kink, where float32 and central differences may err."""
    rng = np.random.default_rng(seed)
    for _ in range(50):
        # float32 numbers, so that both precisions compute from the same.
        X = rng.normal(size=(rows, sizes[0])).astype(np.float32).astype(float)
        vector = random_vector(rng, sizes, np.float32).astype(float)
        y = random_targets(rng, rows, sizes[-1], loss).astype(np.float32).astype(float)
        if labels and sizes[-1] > 1:
            y = rng.integers(0, sizes[-1], rows)
        weights = None
        if weighted:
            weights = rng.uniform(0.5, 2, rows).astype(np.float32).astype(float)
            weights[1::3] = 0
        problem = Problem(sizes, hidden, output, loss, vector, X, y, weights, l1, l2)
        # float32 z are off by some 1e-6, and so are those that central differences move.
        if distance_to_kinks(problem) > 1e-5:
            return problem
    raise AssertionError("every draw lies near a kink")


@st.composite
def problems(draw, activation, loss, output):
    """One to four hidden layers, `activation` in every other one, of 1 to 70 neurons."""
    width, n_hidden = st.integers(1, 70), draw(st.integers(1, 4))
    other = draw(st.sampled_from(ACTIVATIONS))
    return make_problem(
        draw(st.integers(0, 2**32 - 1)),
        [draw(width) for _ in range(n_hidden + 2)],
        [(activation, other)[l % 2] for l in range(n_hidden)],
        output,
        loss,
        draw(st.integers(1, 67)),
        labels=draw(st.booleans()),
        weighted=draw(st.booleans()),
        l1=draw(st.sampled_from([0.0, 0.01])),
        l2=draw(st.sampled_from([0.0, 0.1])),
    )


class Answer(NamedTuple):
    cost: float
    gradient: np.ndarray
    dX: np.ndarray
    errors: list


def by_kernels(problem, dtype, rows=layout.BLOCK_ROWS):
    network = problem.network(dtype, rows=rows)
    data = network.data(problem.X, problem.y, problem.weights)
    bad_rows = [0, 0, 0]
    bad_rows[0], cost, gradient = network.value_and_grad(data, problem.l1, problem.l2)
    bad_rows[1], dX = network.input_gradient(data)
    bad_rows[2], errors = network.layer_errors(data)
    assert bad_rows == [-1, -1, -1]
    return Answer(cost, gradient, dX, errors)


def by_reference(problem):
    arguments = (*problem.layers(), problem.X, problem.y, *problem.names)
    s = problem.weights
    cost, gradient = naive.value_and_grad(*arguments, sample_weight=s, l1=problem.l1, l2=problem.l2)
    dX = naive.input_gradient(*arguments, sample_weight=s)
    return Answer(cost, gradient, dX, naive.layer_errors(*arguments, sample_weight=s))


def assert_close(got, expected, sizes, tolerance):
    np.testing.assert_allclose(got.cost, expected.cost, rtol=tolerance)
    by_layer = [naive.unflatten(answer.gradient, sizes) for answer in (got, expected)]
    for l in range(len(sizes) - 1):
        (w, b), (w_expected, b_expected) = [(ws[l], bs[l]) for ws, bs in by_layer]
        layer = np.concatenate([w.ravel(), b])
        assert max_error(layer, np.concatenate([w_expected.ravel(), b_expected])) < tolerance
        assert max_error(got.errors[l], expected.errors[l]) < tolerance
    assert max_error(got.dX, expected.dX) < tolerance


def slope_along(problem, direction, h):
    """Central difference of the kernels' cost along a direction."""

    def cost(vector):
        network = problem.network(vector=vector)
        data = network.data(problem.X, problem.y, problem.weights)
        return network.value_and_grad(data, problem.l1, problem.l2)[1]

    ahead, behind = problem.vector + h * direction, problem.vector - h * direction
    return (cost(ahead) - cost(behind)) / (2 * h)


def check(problem):
    double = by_kernels(problem, np.float64)
    assert_close(double, by_reference(problem), problem.sizes, DOUBLE)
    assert_close(by_kernels(problem, np.float32), double, problem.sizes, SINGLE)

    # Up the gradient, and aslant: a direction across it would have a slope of 0. The difference
    # is rounded to some 1e-16 of the cost over h = 1e-6, and bent by some h^2.
    g = double.gradient
    length = np.linalg.norm(g)
    aslant = np.random.default_rng(len(g)).choice([-1.0, 1.0], len(g)) / np.sqrt(len(g))
    direction = (g / length if length else 0) + aslant
    slope = slope_along(problem, direction / np.linalg.norm(direction), h=1e-6)
    expected = g @ direction / np.linalg.norm(direction)
    assert abs(slope - expected) <= 1e-6 * length + 1e-9 * double.cost


def test_the_reference_knows_what_the_kernels_know():
    assert {"softmax", "exponential", *ACTIVATIONS} == set(kernel_activations.ACTIVATIONS)
    pairs = [(loss, output) for loss, names in losses.VALID_OUTPUTS.items() for output in names]
    assert sorted(pairs) == sorted(PAIRS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_gradients(activation, loss, output):
    @settings(max_examples=4)
    @given(problem=problems(activation, loss, output))
    def run(problem):
        check(problem)

    run()


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize(("loss", "output"), PAIRS)
def test_one_layer(loss, output, labels):
    for n_0, n_1, rows in [(1, 1, 1), (17, 33, 5), (70, 2, 67)]:
        check(make_problem(n_0, [n_0, n_1], [], output, loss, rows, labels=labels, weighted=True))


@pytest.mark.parametrize("rows", [1, 17, 131])
@pytest.mark.parametrize(("loss", "output"), [pair for pair in PAIRS if pair[1] != "softmax"])
def test_a_single_output(loss, output, rows):
    """Its rows lie side by side, and vectors go over several of them, of which some weigh 0."""
    check(make_problem(rows, [3, 9, 1], ["tanh"], output, loss, rows, weighted=True))


@pytest.mark.parametrize("n_rows", [127, 128, 129, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_of_rows(n_rows, weighted):
    """Gradients add up over blocks, the last one smaller; whatever the size of a block."""
    sizes, hidden = [13, 21, 6, 3], ["tanh", "silu"]
    problem = make_problem(
        n_rows, sizes, hidden, "softmax", "cross_entropy", n_rows, labels=True,
        weighted=weighted, l1=0.01, l2=0.1,
    )  # fmt: skip
    expected = by_reference(problem)
    for rows in (1, 50, layout.BLOCK_ROWS, 512):
        assert_close(by_kernels(problem, np.float64, rows), expected, sizes, DOUBLE)


@pytest.mark.parametrize(("n_0", "n_1"), [(1030, 3), (2, 1500)])
def test_wide_layers(n_0, n_1):
    check(make_problem(5, [n_0, n_1, 4], ["sigmoid"], "linear", "quadratic", 9, weighted=True))


@pytest.mark.parametrize(
    ("n_0", "n_1", "rows"),
    [(300, 20, 40), (300, 260, 32), (300, 260, 33), (800, 700, 25), (70, 60, 25), (30, 200, 60)],
)
def test_every_way_to_weigh(n_0, n_1, rows):
    """Dot tiles for few or long rows; W packed, or a, for what is wide, large or fills vectors."""
    check(make_problem(rows, [n_0, n_1, 3], ["tanh"], "linear", "quadratic", rows, weighted=True))


@pytest.mark.parametrize("vectors", [0.5, 1, 2, 3])
@pytest.mark.parametrize("n_0", [255, 300])
def test_every_way_to_weigh_many_rows(vectors, n_0):
    """Blocks of 128 rows, W packed: dot tiles or others, by neurons and inputs; and a last one."""
    for dtype, tolerance in ((np.float64, DOUBLE), (np.float32, SINGLE)):
        neurons = int(vectors * VECTOR_BYTES / np.dtype(dtype).itemsize)
        for n_1 in (neurons, neurons + 1):
            for rows in (512, 550):
                problem = make_problem(rows, [n_0, n_1, 3], ["tanh"], "linear", "quadratic", rows)
                a = naive.forward(*problem.layers(), problem.X, problem.hidden, "linear")[1][-1]
                network = problem.network(dtype, rows=layout.BLOCK_ROWS)
                assert max_error(network.forward(problem.X)[1], a) < tolerance


@pytest.mark.parametrize(("loss", "output"), PAIRS)
@pytest.mark.parametrize("labels", [False, True])
def test_forward_and_evaluate(loss, output, labels):
    """Outputs, costs, hits and the moments that make an R^2, over several blocks."""
    problem = make_problem(
        7, [5, 9, 1 if output == "sigmoid" else 4], ["gelu"], output, loss, 131, labels=labels,
        weighted=True,
    )  # fmt: skip
    a = naive.forward(*problem.layers(), problem.X, problem.hidden, output)[1][-1]
    y, w = problem.targets, problem.weights
    zs = naive.forward(*problem.layers(), problem.X, problem.hidden, output)[0]
    cost = w @ naive.LOSSES[loss][0](zs[-1], y, output)
    if y.shape[1] == 1:
        hit = (a > 0.5) == (y > 0.5)
    else:
        hit = (a.argmax(axis=1) == y.argmax(axis=1))[:, None]

    for dtype, tolerance in ((np.float64, DOUBLE), (np.float32, SINGLE)):
        network = problem.network(dtype)
        bad_row, out = network.forward(problem.X)
        assert bad_row == -1
        assert max_error(out, a) < tolerance
        sums, moments = network.evaluate(network.data(problem.X, problem.y, w))
        assert sums[0] == -1
        np.testing.assert_allclose(sums[1:], [cost, w.sum(), w @ hit[:, 0]], rtol=tolerance)
        if problem.y.ndim == 2:
            d = y - y[0]
            expected = [w @ np.ones_like(y), w @ d, w @ d**2, w @ (y - a) ** 2]
            for got, right in zip(moments, expected, strict=True):
                assert max_error(got, right) < tolerance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 10, 17, 33])  # of many, rows are finished one by one
def test_of_equal_outputs_the_first_is_predicted(classes, dtype):
    problem = make_problem(
        3, [4, classes], [], "softmax", "cross_entropy", 37, labels=True, weighted=True
    )
    network = problem.network(dtype, vector=np.zeros_like(problem.vector))
    sums, _ = network.evaluate(network.data(problem.X, problem.y, problem.weights))
    w = problem.weights
    expected = [w.sum() * np.log(classes), w.sum(), w @ (problem.y == 0)]
    np.testing.assert_allclose(sums[1:], expected, rtol=SINGLE if dtype == np.float32 else DOUBLE)


def test_a_row_that_weighs_nothing_may_cost_infinity():
    """Its cost is left out of the sum, not multiplied by 0."""
    network = Network([1, 1], [], "linear", "quadratic", [1.0, 0.0], np.float32)
    data = network.data([[1e25], [1.0]], [[0.0], [0.0]], [0.0, 2.0])
    assert network.evaluate(data)[0] == (-1, 1.0, 2.0, 0.0)
    bad_row, cost, gradient = network.value_and_grad(data)
    assert (bad_row, cost, *gradient) == (-1, 0.5, 1.0, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (128, 16), (299, 36)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("blank", [0, np.nan])
def test_bad_rows_are_named_by_the_block_they_are_in(bad, row, column, dtype, blank):
    sizes = [37, 3]
    rng = np.random.default_rng(0)
    vector = random_vector(rng, sizes)
    naive.unflatten(vector, sizes)[0][0][1] = 0  # a neuron to which all inputs are the same
    network = Network(sizes, [], "linear", "quadratic", vector, dtype, blank=blank)
    X = rng.normal(size=(300, 37))
    X[row, column] = bad
    data = network.data(X, np.zeros((300, 3)))
    block = row // layout.BLOCK_ROWS * layout.BLOCK_ROWS
    assert network.forward(X)[0] == block
    assert network.evaluate(data)[0][0] == block
    assert network.value_and_grad(data)[0] == block
    assert network.input_gradient(data)[0] == block
    assert network.layer_errors(data)[0] == block


@pytest.mark.parametrize("blank", [0, np.nan])
def test_a_row_that_overflows_is_not_a_bad_row(blank):
    """Where z is infinite and X is not, it is the net's doing."""
    vector = np.array([1e30, 0.0, 1.0, 0.0])
    network = Network([1, 1, 1], "linear", "linear", "quadratic", vector, np.float32, blank=blank)
    X = np.array([[1.0], [1e30]])
    bad_row, out = network.forward(X)
    assert (bad_row, *out[:, 0]) == (-1, np.float32(1e30), np.inf)
    data = network.data(X, np.zeros((2, 1)))
    assert network.evaluate(data)[0][0] == -1
    assert network.value_and_grad(data)[:2] == (-1, np.inf)


def test_parameters_lie_where_the_layout_says():
    sizes = [3, 17, 1, 5]
    at = 0
    for (n_below, n), (w, b) in zip(pairwise(sizes), layout.parameter_slices(sizes), strict=True):
        assert (w.start, w.stop, b.start, b.stop) == (
            at, at + n * n_below, at + n * n_below, at + n * n_below + n,
        )  # fmt: skip
        at = b.stop
    assert at == layout.n_parameters(sizes)


def test_many_rows_of_float32_lose_few_digits():
    """Of the bias, too, each block of rows has a sum of its own."""
    x, y = np.full((2, 1_000_000, 1), [[[0.1]], [[0.3]]], np.float32)
    net = MLP([1, 1], output="linear", loss="quadratic")
    net.parameters = [1.0, 0.0]
    _, gradient = net.value_and_grad(x, y)
    expected = (float(x[0, 0]) - float(y[0, 0])) * np.array([float(x[0, 0]), 1.0])
    # Found: 2e-5 of the weight, 7e-6 of the bias, which were 1.2e-3 by one sum over all rows.
    assert np.abs(gradient / expected - 1).max() < 1e-4
