"""Layer 1 trained by lists of what is not 0: the reference's steps, for any threads and calls.

Whether lists are used shows where a weight is NaN that meets zeros only: NaN * 0 is NaN.
"""

import random
from itertools import pairwise

import naive
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_rule, max_error, Network, random_targets, random_vector
from numpy.testing import assert_allclose, assert_array_equal
from test_training_kernels import (
    DOUBLE,
    EXTRAS,
    OPTIMIZERS,
    RATES,
    schedule,
    train_by_kernel,
    train_by_reference,
)
from test_zeros import digits

from fastbp import Adam, data, MLP, SGD
from fastbp.kernels import epoch, layout
from fastbp.kernels.target import VECTOR_BYTES
from fastbp.nndl import network2
from fastbp.sklearn import epochs, MLPClassifier

# (sizes, rows, batch size): the book's net; a last smaller batch and odd numbers; one example at a
# time; layer 1 as the last; neurons for several tiles; a batch larger than the inputs.
SHAPES = {
    "book": ([784, 30, 10], 40, 10),
    "odd": ([101, 37, 5, 3], 33, 7),
    "one_row": ([64, 9, 3], 9, 1),
    "one_layer": ([90, 17], 50, 20),
    "wide": ([130, 70, 4], 64, 32),
    "tall": ([65, 33, 2], 210, 70),
}
NAMES = "tanh", "linear", "quadratic"


def problem(sizes, rows, dtype=np.float64):
    """Parameters, rows of which one is 0 altogether, targets and weights."""
    rng = np.random.default_rng(0)
    X = digits(rng, rows, sizes[0])
    X[rows // 2] = 0
    y, weights = random_targets(rng, rows, sizes[-1], "quadratic"), rng.uniform(0.5, 2, rows)
    vector = random_vector(rng, sizes)
    return [values.astype(dtype) for values in (vector, X, y, weights)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("extra", ["plain", "l2", "l1_l2"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fifty_steps_of_the_reference(optimizer, extra, shape):
    sizes, rows, batch_size = SHAPES[shape]
    rule, reference = OPTIMIZERS[optimizer]
    # Without it, a gradient that is 0 but for rounding is what Adam and its kind divide by.
    rule = rule._replace(**EXTRAS[extra], epsilon=max(rule.epsilon, 1e-6))
    optimizer_of_reference = reference(sizes, 0.1)
    optimizer_of_reference.epsilon = rule.epsilon
    rates = schedule(RATES.get(optimizer, 0.003) * min(1, 20 / max(sizes)))
    vector, X, y, weights = problem(sizes, rows)
    network = Network(sizes, *NAMES, vector, np.float64, rows=batch_size)
    trained, report = train_by_kernel(
        network, network.data(X, y, weights), rule, rates, batch_size, is_sparse=1
    )
    expected, expected_report = train_by_reference(
        sizes, NAMES, vector, X, y, weights, rule, optimizer_of_reference, rates, batch_size
    )
    assert max_error(trained.parameters, expected) < DOUBLE
    assert_allclose(report, expected_report, rtol=DOUBLE)


@settings(max_examples=25)
@given(
    sizes=st.tuples(st.integers(64, 300), st.integers(9, 150), st.integers(1, 12)),
    rows=st.integers(1, 80),
    batch_size=st.integers(1, 60),
    zeros=st.sampled_from([0, 0.5, 0.8, 0.99, 1]),
    optimizer=st.sampled_from(["sgd", "momentum"]),
    extra=st.sampled_from(["plain", "l2"]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_fifty_steps_of_any_shape(sizes, rows, batch_size, zeros, optimizer, extra, threads, seed):
    """However many zeros there are: who says that they are many is believed."""
    vector, X, y, weights = problem(sizes, rows)
    X *= np.random.default_rng(seed).random(X.shape) >= zeros
    rule, reference = OPTIMIZERS[optimizer]
    rule, rates = rule._replace(**EXTRAS[extra]), schedule(0.003)
    network = Network(sizes, *NAMES, vector, np.float64, rows=batch_size, threads=threads)
    told = network.data(X, y, weights)
    trained, report = train_by_kernel(network, told, rule, rates, batch_size, is_sparse=1)
    expected, expected_report = train_by_reference(
        sizes, NAMES, vector, X, y, weights, rule, reference(sizes, 0.1), rates, batch_size
    )
    assert max_error(trained.parameters, expected) < DOUBLE
    assert_allclose(report, expected_report, rtol=DOUBLE)


def train(sizes, rows, batch_size, dtype, rule, threads=1, cuts=(0, None), is_sparse=1, never=None):
    """All steps of a pass, in calls that end at `cuts`; `never`: what weights of it are."""
    vector, X, y, weights = problem(sizes, rows, dtype)
    if never is not None:
        W = naive.unflatten(vector, sizes)[0][0]
        W[:, ~X.any(axis=0)] = never
    network = Network(sizes, *NAMES, vector, dtype, rows=batch_size, threads=threads)
    told, state, report = network.data(X, y, weights), None, np.zeros(6)
    for first, last in pairwise(cuts):
        trained = network.train(
            told, rule, 0.01, batch_size, first_step=first, last_step=last, state=state,
            report_size=6, is_sparse=is_sparse,
        )  # fmt: skip
        state = trained.state
        report += trained.report
    return trained.status, trained.parameters, state, report


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", ["book", "odd", "one_layer", "wide", "tall"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_bits_depend_neither_on_threads_nor_on_calls(optimizer, shape, dtype):
    rule = OPTIMIZERS[optimizer][0]._replace(l2=0.02, per_row=1)
    expected = train(*SHAPES[shape], dtype, rule)
    assert expected[0] == epoch.OK
    for change in [{"threads": 2}, {"threads": 3}, {"cuts": (0, 1, 2, None)}]:
        trained = train(*SHAPES[shape], dtype, rule, **change)
        for got, wanted in zip(trained[1:3], expected[1:3], strict=True):
            assert got.tobytes() == wanted.tobytes()
        # Sums over calls: each is rounded.
        assert_allclose(trained[3], expected[3], rtol=1e-14 if "cuts" in change else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_penalty_of_each_batch_is_that_of_the_weights_as_they_lie(optimizer, dtype):
    """In the report, for scikit-learn's losses, of weights that lie transposed meanwhile."""
    rule = OPTIMIZERS[optimizer][0]._replace(l1=0.01, l2=0.02, per_row=1)
    listed = train(*SHAPES["odd"], dtype, rule)
    usual = train(*SHAPES["odd"], dtype, rule, is_sparse=0)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    assert usual[3][epoch.PENALTY] > 0
    assert_allclose(listed[3], usual[3], rtol=tolerance)
    assert max_error(listed[1], usual[1]) < tolerance


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 10, 23])
def test_what_is_0_is_left_out(batch_size, dtype):
    """A weight that meets zeros only is not looked at, and stays as it is, be it NaN."""
    sizes, rows = [300, 30, 3], 46
    options = sizes, rows, batch_size, dtype, make_rule("sgd")
    status, parameters, *_ = train(*options, never=np.nan)
    assert status == epoch.OK
    _, of_numbers, *_ = train(*options, never=0)
    assert_array_equal(np.nan_to_num(parameters), of_numbers)
    assert np.isnan(parameters).sum() > 300
    if batch_size > 1:
        assert train(*options, never=np.nan, is_sparse=0)[0] == epoch.COST_NOT_FINITE


@pytest.mark.parametrize("limit", ["clip_norm", "max_norm"])
def test_who_asks_for_the_whole_gradient_or_rows_of_weights_gets_them(limit):
    rule = make_rule("sgd", **EXTRAS[limit])
    listed = train(*SHAPES["book"], np.float64, rule)
    usual = train(*SHAPES["book"], np.float64, rule, is_sparse=0)
    assert listed[1].tobytes() == usual[1].tobytes()


def test_only_some_layers_have_room():
    """Long rows, some neurons, not too many, and a batch of which each thread has a copy."""
    lanes = VECTOR_BYTES // 4
    small = (64, lanes, 2)
    for sizes, rows, expected in [
        (small, 8, True), ((63, lanes, 2), 8, False), ((64, lanes // 2, 2), 8, False),
        ((8193, lanes, 2), 8, False), ((2048, 600, 2), 8, False), (small, 2**14, False),
    ]:  # fmt: skip
        plan = layout.plan(sizes, [0, 0], 0, rows, "float32", trains=True)
        assert (plan.turned >= 0) == expected
    assert layout.plan(small, [0, 0], 0, 8, "float32").turned < 0


# The API: whether X is mostly 0 is seen once a fit.


def test_some_rows_tell():
    X = np.zeros((1000, 10))
    X[:, :3] = 1
    assert data.is_mostly_zero(X, 16)
    assert not data.is_mostly_zero(X, 15)
    X[:, 3] = -1
    assert not data.is_mostly_zero(X, 16)
    assert data.is_mostly_zero(np.zeros((1, 3)), 20)


def fit_net(X, y, **options):
    net = MLP([300, 20, 3], seed=0, dtype="float64")
    net.fit(X, y, epochs=2, batch_size=30, **options)
    return net.parameters


def fit_estimator(X, y, **options):
    model = MLPClassifier((20,), batch_size=30, max_iter=2, n_iter_no_change=9, random_state=0)
    model.set_params(**options)
    with pytest.warns(match="Maximum iterations"):
        model.fit(X, y)
    return np.concatenate([w.ravel() for w in model.coefs_])


def fit_book(X, y):
    rng = np.random.default_rng(0)
    net = network2.Network([300, 20, 3])
    net.weights = [rng.normal(size=w.shape) / np.sqrt(w.shape[1]) for w in net.weights]
    net.biases = [np.zeros_like(b) for b in net.biases]
    targets = np.eye(3)[y]
    examples = [(x.reshape(-1, 1), t.reshape(-1, 1)) for x, t in zip(X, targets, strict=True)]
    net.SGD(examples, 2, 30, 0.5, lmbda=1.0)
    return np.concatenate([w.ravel() for w in net.weights])


@pytest.mark.parametrize(
    "fit",
    [
        lambda X, y: fit_net(X, y),
        lambda X, y: fit_net(X, y, optimizer=SGD(0.1), l2=0.01),
        lambda X, y: fit_net(X, y, optimizer=Adam(), validation_data=(X, y), dropout=0.2),
        lambda X, y: fit_estimator(X, y),
        lambda X, y: fit_estimator(X, y, solver="sgd", momentum=0),
        lambda X, y: fit_estimator(scipy.sparse.csr_array(X), y),
    ],
)
def test_fits_use_lists_and_agree_with_those_that_do_not(fit, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = digits(rng, 600, 300), rng.integers(0, 3, 600)
    listed = fit(X, y)
    with monkeypatch.context() as patches:
        patches.setattr(data, "SPARSE_STEPS", 99)
        patches.setattr(epochs, "SPARSE_SHARE", 2)
        usual = fit(X, y)
    assert_array_equal(fit(X, y), listed)
    assert listed.tobytes() != usual.tobytes()  # they add up in another order
    assert max_error(listed, usual) < 1e-10


def test_the_books_network_uses_lists(monkeypatch):
    """Of the inputs that are used at all."""
    rng = np.random.default_rng(0)
    X, y = digits(rng, 600, 300), rng.integers(0, 3, 600)
    X *= rng.random(X.shape) < 0.5
    fits = []
    for steps in (data.SPARSE_STEPS, 99):
        monkeypatch.setattr(data, "SPARSE_STEPS", steps)
        random.seed(0)
        fits.append(fit_book(X, y))
    assert fits[0].tobytes() != fits[1].tobytes()
    assert max_error(*fits) < 1e-10
