"""Zeros are left out of products, and no bit is another for it.

Whether they are left out shows where a weight is NaN that meets zeros only: NaN * 0 is NaN.
"""

import naive
import naive_optimizers
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Guarded, max_error, Network, random_vector
from numpy.testing import assert_array_equal

from fastbp import Adam, MLP, RMSprop, SGD
from fastbp.kernels.few_neurons import FEW_FROM, multiply_few_neurons
from fastbp.kernels.jit import kernel
from fastbp.kernels.matmul import matmul, ROOM, SKIP_SHARE
from fastbp.kernels.matrix import matrix, PANEL_DEPTH, transpose
from fastbp.kernels.row_tile import FEW_VECTORS
from fastbp.kernels.simd import pointer
from fastbp.kernels.target import VECTOR_BYTES
from fastbp.kernels.zeros import has_zeros, LIST_BYTES, list_places

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# From so many rows on matmul looks for zeros (SKIP_ROWS); below, it computes the same bits.
FEW_ROWS = 23


def digits(rng, rows, pixels=784):
    """Rows like those of handwritten digits: pixels that are 0 in all of them, in most, in few."""
    density = np.clip(rng.normal(0.2, 0.3, pixels), 0, 0.98)
    return rng.random((rows, pixels)) * (rng.random((rows, pixels)) < density)


@kernel
def product(a, b, b_is_transposed, c, panel):
    rows, depth, columns = a.shape[0], a.shape[1], c.shape[1]
    A, C = matrix(a, 0, rows, depth, depth), matrix(c, 0, rows, columns, columns)
    if b_is_transposed:
        B = transpose(matrix(b, 0, columns, depth, depth))
    else:
        B = matrix(b, 0, depth, columns, columns)
    matmul(1.0, A, B, 0.0, C, pointer(panel, 0))


def multiply(A, B, *, transposed, rows=None):
    """A B by the kernel, so many rows at a time."""
    guarded, parts = Guarded(np.nan), []
    for first in range(0, len(A), rows or len(A)):
        a = guarded.array(A[first : first + (rows or len(A))])
        c = guarded.array(np.full((len(a), B.shape[1]), np.nan, A.dtype))
        panel = guarded.array(np.full(ROOM, np.nan, A.dtype))
        product(a, guarded.array(B.T if transposed else B), transposed, c, panel)
        parts.append(c)
    guarded.check()
    return np.concatenate(parts)


@pytest.mark.parametrize("transposed", [True, False])
@DTYPES
@settings(max_examples=40)
@given(
    rows=st.integers(24, 90),
    depth=st.integers(64, 300),
    columns=st.integers(24, 150),
    zeros=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_products_have_the_bits_of_those_that_multiply_by_zero(
    dtype, transposed, rows, depth, columns, zeros, seed
):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(rows, depth)) * (rng.random((rows, depth)) >= zeros)
    A, B = A.astype(dtype), rng.normal(size=(depth, columns)).astype(dtype)
    assert_array_equal(
        multiply(A, B, transposed=transposed),
        multiply(A, B, transposed=transposed, rows=FEW_ROWS),
    )


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(("rows", "left_out"), [(FEW_ROWS, False), (24, True), (513, True)])
@DTYPES
def test_zeros_are_left_out(dtype, rows, left_out, transposed):
    rng = np.random.default_rng(0)
    A, B = digits(rng, rows, 300).astype(dtype), rng.normal(size=(300, 70)).astype(dtype)
    never = np.flatnonzero(~A.any(axis=0))
    assert len(never) > 50
    B[never] = np.nan
    assert np.isfinite(multiply(A, B, transposed=transposed)).all() == left_out


@kernel
def look(a, lists):
    A = matrix(a, 0, a.shape[0], a.shape[1], a.shape[1])
    list_places(A, pointer(lists, 0))
    return has_zeros(A, SKIP_SHARE)


@DTYPES
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, PANEL_DEPTH),
    zeros=st.sampled_from([0, 0.3, 0.8, 0.98, 1]),
    seed=st.integers(0, 2**32 - 1),
)
def test_lists_name_the_places_where_a_row_is_not_0(dtype, rows, columns, zeros, seed):
    rng = np.random.default_rng(seed)
    A = rng.choice([-0.0, 0.0], (rows, columns)).astype(dtype)
    filled = rng.random(A.shape) >= zeros
    A[filled] = rng.choice([1, -2, np.nan, np.inf, 5e-324, np.finfo(dtype).tiny], filled.sum())
    guarded = Guarded()
    lists = guarded.array(np.zeros(rows * LIST_BYTES // A.itemsize, dtype))
    look(guarded.array(A), lists)
    guarded.check()
    for row, found in zip(A, lists.view(np.uint8).reshape(rows, LIST_BYTES), strict=True):
        assert_array_equal(found[1 : 1 + found[0]], np.flatnonzero(row))


@DTYPES
def test_two_fifths_of_the_places_tell(dtype):
    """Fewer zeros do not pay."""
    rng = np.random.default_rng(0)
    lists = np.zeros(40 * LIST_BYTES // np.dtype(dtype).itemsize, dtype)
    for zeros, expected in [(0, False), (0.25, False), (0.42, True), (1, True)]:
        A = (rng.random((40, 128)) >= zeros).astype(dtype)
        assert look(A, lists) == expected


@kernel
def product_by_row_lists(a, b, c, panel):
    A = matrix(a, 0, a.shape[0], a.shape[1], a.shape[1])
    B = matrix(b, 0, b.shape[0], b.shape[1], b.shape[1])
    C = matrix(c, 0, c.shape[0], c.shape[1], c.shape[1])
    multiply_few_neurons(A, B, C, pointer(panel, 0))


def multiply_by_row_lists(A, B, columns):
    guarded = Guarded(np.nan)
    c = guarded.array(np.full((len(A), columns), np.nan, A.dtype))
    panel = guarded.array(np.full(ROOM, np.nan, A.dtype))
    product_by_row_lists(guarded.array(A), guarded.array(B), c, panel)
    guarded.check()
    return c


@DTYPES
@given(
    rows=st.integers(1, 9),
    depth=st.integers(1, 300),
    columns=st.integers(1, FEW_VECTORS * VECTOR_BYTES // 4),
    zeros=st.sampled_from([0, 0.3, 0.8, 0.98, 1]),
    seed=st.integers(0, 2**32 - 1),
)
def test_row_lists_leave_out_what_is_0_in_each_row(dtype, rows, depth, columns, zeros, seed):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    columns = min(columns, FEW_VECTORS * lanes)
    rng = np.random.default_rng(seed)
    A = (rng.normal(size=(rows, depth)) * (rng.random((rows, depth)) >= zeros)).astype(dtype)
    B = np.full((depth, -(-columns // lanes) * lanes), np.nan, dtype)
    B[:, :columns] = rng.normal(size=(depth, columns))
    expected = A.astype(float) @ B[:, :columns].astype(float)
    B[~A.any(axis=0)] = np.nan  # never looked at
    C = multiply_by_row_lists(A, B, columns)
    assert max_error(C, expected) < (1e-5 if dtype == "float32" else 1e-13)
    for row, c in zip(A, C, strict=True):  # whichever rows are beside it
        assert_array_equal(multiply_by_row_lists(row[np.newaxis], B, columns)[0], c)
    A[0, depth // 2] = np.nan  # which is not 0
    assert np.isnan(multiply_by_row_lists(A, B, columns)[0]).all()


@pytest.mark.parametrize("vectors", [FEW_FROM, FEW_VECTORS - 1, 3 * FEW_VECTORS])
@pytest.mark.parametrize(("rows", "columns"), [(513, 784), (666, 77), (543, 301), (512, 8192)])
@DTYPES
def test_neurons_leave_zeros_out_of_many_rows(dtype, rows, columns, vectors):
    """Blocks of 128 rows, and what is left: enough for lists, too few."""
    neurons = int(vectors * VECTOR_BYTES / np.dtype(dtype).itemsize) + 1
    rng = np.random.default_rng(neurons)
    sizes = [columns, neurons, 3]
    vector, X = random_vector(rng, sizes, dtype), digits(rng, rows, columns).astype(dtype)
    names = ("tanh", "linear", "quadratic")
    _, out = Network(sizes, *names, vector, dtype).forward(X)
    weights, biases = naive.unflatten(vector.astype(float), sizes)
    expected = naive.forward(weights, biases, X.astype(float), ["tanh"], "linear")[1][-1]
    assert max_error(out, expected) < (1e-5 if dtype == "float32" else 1e-13)

    never = np.flatnonzero(~X.any(axis=0))  # those weights are not even looked at
    vector[: columns * neurons].reshape(neurons, columns)[:, never] = np.nan
    _, unseen = Network(sizes, *names, vector, dtype).forward(X[:512])
    assert len(never) > 5
    assert_array_equal(unseen, out[:512])


SHAPES = pytest.mark.parametrize(
    ("sizes", "rows", "batch_size"),
    [
        ([784, 70, 10], 150, 75),
        ([301, 129, 33, 4], 131, 131),  # two stretches of rows, odd numbers of inputs
        ([65, 24, 3], 96, 48),
        ([2100, 30, 2], 60, 60),  # three blocks of inputs
        ([300, 150, 4], 100, 50),  # in float32 panels of so few rows could be wider than a block
    ],
)
OPTIMIZERS = {
    "adam": (Adam(0.01), lambda: naive_optimizers.Adam(0.01)),
    "rmsprop": (RMSprop(0.01), lambda: naive_optimizers.RMSprop(0.01)),
    "momentum": (SGD(0.1, momentum=0.9), lambda: naive_optimizers.SGD(0.1, 0.9)),
    "plain": (SGD(0.1), lambda: naive_optimizers.SGD(0.1)),
}


@SHAPES
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@DTYPES
def test_steps_are_those_of_the_reference(dtype, optimizer, sizes, rows, batch_size):
    """In float32 a rounded gradient near 0 may turn a step of Adam or RMSprop, 0.01, around."""
    tolerance = 1e-10
    if dtype == "float32":
        # A z near 0 may round to relu's other side, too.
        tolerance = 1e-2 if optimizer in ("adam", "rmsprop") else 1e-3
    rng = np.random.default_rng(0)
    X, y = digits(rng, rows, sizes[0]), rng.integers(0, sizes[-1], rows)
    ours, reference = OPTIMIZERS[optimizer]
    net = MLP(sizes, dtype=dtype, seed=0)
    w, rule = net.parameters.astype(float), reference()
    hidden = ["relu"] * (len(sizes) - 2)
    for _ in range(2):
        for first in range(0, rows, batch_size):
            part = slice(first, first + batch_size)
            weights, biases = naive.unflatten(w, sizes)
            targets = np.eye(sizes[-1])[y[part]]
            g = naive.value_and_grad(
                weights, biases, X[part], targets, hidden, "softmax", "cross_entropy", l2=1e-3
            )[1]
            w = rule.step(w, g)
    net.fit(X, y, epochs=2, batch_size=batch_size, optimizer=ours, shuffle=False, l2=1e-3)
    assert max_error(net.parameters, w) < tolerance


@pytest.mark.usefixtures("batches")
@SHAPES
@DTYPES
def test_bits_do_not_depend_on_the_number_of_threads(dtype, sizes, rows, batch_size):
    rng = np.random.default_rng(1)
    X, y = digits(rng, rows, sizes[0]).astype(dtype), rng.integers(0, sizes[-1], rows)
    trained = []
    for threads in (1, 2, 3):
        net = MLP(sizes, dtype=dtype, seed=0)
        net.fit(X, y, epochs=2, batch_size=batch_size, dropout=0.3, threads=threads)
        trained.append(net.parameters.tobytes())
    assert trained[0] == trained[1] == trained[2]


@DTYPES
def test_a_weight_that_meets_zeros_only_is_left_alone_by_its_gradient(dtype):
    """As in the reference; and its NaN would be seen, if it were multiplied by."""
    rng = np.random.default_rng(0)
    X, y = digits(rng, 96).astype(dtype), rng.integers(0, 10, 96)
    never = ~X.any(axis=0)
    X_seen = X.copy()
    X_seen[0, never] = 1
    for optimizer, batch_size in [(Adam(), 96), (SGD(0.1), 1)]:
        net = MLP([784, 40, 10], dtype=dtype, seed=0)
        before = net.weights[0].copy()
        net.fit(X, y, epochs=1, batch_size=batch_size, optimizer=optimizer)
        assert_array_equal(net.weights[0][:, never], before[:, never])
        net = MLP([784, 40, 10], dtype=dtype, seed=0)
        net.fit(X_seen, y, epochs=1, batch_size=batch_size, optimizer=optimizer)
        assert (net.weights[0][:, never] != before[:, never]).any()


@DTYPES
@pytest.mark.parametrize("columns", [1, 15, 64, 784, 70_000])
def test_one_row_is_as_it_is_among_others(columns, dtype):
    """Vectors of zeros are passed over; the sums are those of dot tiles of several rows."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(5, columns)) * (rng.random((5, -(-columns // 20))) < 0.3).repeat(
        20, axis=1)[:, :columns]).astype(dtype)  # fmt: skip
    net = MLP([columns, 30, 10], output="sigmoid", dtype=dtype, seed=0)
    together = net.forward(X)
    for x, expected in zip(X, together, strict=True):
        assert_array_equal(net.forward(x[None])[0], expected)


@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("columns", [3, 64, 786, 70_000])
def test_single_examples_train_as_in_the_reference(columns, l2):
    rng = np.random.default_rng(0)
    X, y = digits(rng, 20, columns), rng.integers(0, 3, 20)
    X[3] = 0
    sizes = [columns, 7, 3]
    net = MLP(sizes, activation="tanh", dtype="float64", seed=0)
    w = net.parameters.copy()
    for x, target in zip(X, np.eye(3)[y], strict=True):
        weights, biases = naive.unflatten(w, sizes)
        w = w - 0.1 * naive.value_and_grad(
            weights, biases, x[None], target[None], ["tanh"], "softmax", "cross_entropy", l2=l2
        )[1]  # fmt: skip
    net.fit(X, y, epochs=1, batch_size=1, optimizer=SGD(0.1), shuffle=False, l2=l2)
    assert max_error(net.parameters, w) < 1e-12
