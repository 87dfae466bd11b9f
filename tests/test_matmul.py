"""The three matrix products against NumPy's in float64, to the rounding of their own sums.

Operands and results lie in wider rows, as layers do in the arena: what is beside them is NaN, and
must be neither used nor written.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Guarded

from fastbp.kernels.jit import kernel
from fastbp.kernels.matmul import matmul, ROOM
from fastbp.kernels.matrix import (
    column_range,
    matrix,
    row_range,
    transpose,
)
from fastbp.kernels.simd import pointer

FORWARD, DELTA_BACK, WEIGHT_GRADIENT = range(3)  # a W^T, delta W, delta^T a
PRODUCTS = pytest.mark.parametrize(
    "product", [FORWARD, DELTA_BACK, WEIGHT_GRADIENT], ids=["forward", "back", "gradient"]
)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SIZES = st.integers(1, 130)


@kernel
def multiply(product, alpha, a, b, beta, c, shape, part, panel):
    """C = alpha A B + beta C; of C (rows, columns) the part (row, end, column, end)."""
    rows, depth, columns = shape
    if product == WEIGHT_GRADIENT:
        A = transpose(matrix(a, 0, depth, rows, a.shape[1]))
    else:
        A = matrix(a, 0, rows, depth, a.shape[1])
    if product == FORWARD:
        B = transpose(matrix(b, 0, columns, depth, b.shape[1]))
    else:
        B = matrix(b, 0, depth, columns, b.shape[1])
    C = column_range(
        row_range(matrix(c, 0, rows, columns, c.shape[1]), part[0], part[1]), part[2], part[3]
    )
    A, B = row_range(A, part[0], part[1]), column_range(B, part[2], part[3])
    matmul(alpha, A, B, beta, C, pointer(panel, 0))


class Product:
    """A and B of a product, drawn; `padding` numbers beside each row, guards around all."""

    def __init__(self, product, rows, depth, columns, dtype, padding=0, shift=0, seed=0):
        rng = np.random.default_rng(seed)
        self.product, self.shape = product, (rows, depth, columns)
        self.padding, self.dtype = padding, dtype
        self.A = rng.normal(size=(rows, depth)).astype(dtype)
        self.B = rng.normal(size=(depth, columns)).astype(dtype)
        self.start = rng.normal(size=(rows, columns)).astype(dtype)  # what C holds before
        self.guarded = Guarded(np.nan, shift)
        self.a = self.padded(self.A.T if product == WEIGHT_GRADIENT else self.A)
        self.b = self.padded(self.B.T if product == FORWARD else self.B)

    def padded(self, matrix):
        wide = np.full((len(matrix), matrix.shape[1] + self.padding), np.nan, self.dtype)
        wide[:, : matrix.shape[1]] = matrix
        return self.guarded.array(wide)

    def run(self, parts=None, alpha=1.0, beta=0.0):
        """C after the kernel computed some parts of it, by default the whole."""
        rows, _, columns = self.shape
        c = self.padded(self.start)
        for part in parts or [(0, rows, 0, columns)]:
            # What a panel was packed with before is as good as NaN.
            panel = self.guarded.array(np.full(ROOM, np.nan, self.dtype))
            multiply(self.product, alpha, self.a, self.b, beta, c, self.shape, part, panel)
        self.guarded.check()
        assert np.isnan(c[:, columns:]).all()
        return c[:, :columns]

    def check(self, got, alpha=1.0, beta=0.0):
        A, B = alpha * self.A.astype(float), self.B.astype(float)
        C = beta * self.start.astype(float)
        # Each of depth roundings, ours and in float64 NumPy's too, is at most eps / 2 of a sum of
        # absolute values; alpha, beta and the sum of the two are a few more.
        size = np.abs(A) @ np.abs(B) + np.abs(C)
        limit = (self.shape[1] + 4) * np.finfo(self.dtype).eps * size
        assert (np.abs(got - (A @ B + C)) <= limit).all()


# Gradients are added up, and W is updated, by products whose B has its rows side by side.
def factors(product):
    return [(1.0, 0.0)] if product == FORWARD else [(1.0, 0.0), (1.0, 1.0), (-0.3, 0.9)]


@PRODUCTS
@DTYPES
@settings(max_examples=60)
@given(rows=SIZES, depth=SIZES, columns=SIZES, padding=st.integers(0, 17), shift=st.integers(0, 5))
def test_odd_shapes(product, dtype, rows, depth, columns, padding, shift):
    p = Product(product, rows, depth, columns, dtype, padding, shift)
    for alpha, beta in factors(product):
        p.check(p.run(alpha=alpha, beta=beta), alpha, beta)


@PRODUCTS
@DTYPES
def test_every_tile(product, dtype):
    """All remainders that tiles may leave of rows and of columns, and of vectors along k."""
    for rows in range(1, 15):
        for columns in range(1, 70):
            depth = 1 + (rows * columns) % 37
            p = Product(product, rows, depth, columns, dtype)
            p.check(p.run())


@PRODUCTS
@DTYPES
@pytest.mark.parametrize(
    ("rows", "depth", "columns"),
    [
        *[(10, 784, 30), (257, 300, 129), (24, 97, 65), (64, 1, 2049), (1, 2050, 1)],
        (130, 1030, 257),  # of which B is packed, since it is large
    ],
)
def test_larger_shapes(product, dtype, rows, depth, columns):
    p = Product(product, rows, depth, columns, dtype, padding=3)
    for alpha, beta in factors(product):
        p.check(p.run(alpha=alpha, beta=beta), alpha, beta)


@PRODUCTS
@DTYPES
@settings(max_examples=30)
@given(data=st.data(), rows=SIZES, depth=SIZES, columns=SIZES)
def test_a_part_leaves_the_rest(product, dtype, data, rows, depth, columns):
    p = Product(product, rows, depth, columns, dtype, padding=2)
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, rows)] * 2)))
    left, right = sorted(data.draw(st.tuples(*[st.integers(0, columns)] * 2)))
    c, whole = p.run([(first, last, left, right)]), p.run()
    whole[first:last, left:right] = c[first:last, left:right]
    p.check(whole)
    c[first:last, left:right] = p.start[first:last, left:right]
    np.testing.assert_array_equal(c, p.start)


@PRODUCTS
@DTYPES
@settings(max_examples=40)
@given(data=st.data(), rows=SIZES, depth=SIZES, columns=SIZES)
def test_bits_do_not_depend_on_how_outputs_are_shared(product, dtype, data, rows, depth, columns):
    """Whoever computes which rows and columns, and next to which others.

    Threads share the columns of a forward product: it is made in another way where rows are few.
    """
    p = Product(product, rows, depth, columns, dtype)
    alpha, beta = factors(product)[-1]
    whole = p.run(None, alpha, beta).tobytes()
    row_cuts = sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=4))})
    if product == FORWARD:
        row_cuts = [0, rows]
    column_cuts = sorted({0, columns, *data.draw(st.lists(st.integers(0, columns), max_size=4))})
    parts = [(*r, *c) for r in pairwise(row_cuts) for c in pairwise(column_cuts)]
    assert p.run(parts, alpha, beta).tobytes() == whole


@PRODUCTS
@DTYPES
def test_infinity_and_nan_stay_in_their_row_and_column(product, dtype):
    p = Product(product, 13, 21, 35, dtype)
    for bad in (np.nan, np.inf):
        a = p.a.T if product == WEIGHT_GRADIENT else p.a
        b = p.b.T if product == FORWARD else p.b
        kept = a[4, 20], b[0, 33]
        a[4, 20], b[0, 33] = bad, bad
        is_finite = np.isfinite(p.run())
        a[4, 20], b[0, 33] = kept
        expected = np.ones((13, 35), bool)
        expected[4], expected[:, 33] = False, False
        np.testing.assert_array_equal(is_finite, expected)
