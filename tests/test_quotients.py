"""Quotients and roots from estimates, against NumPy's in long double, in ulp."""

import numpy as np
import pytest

from fastbp.kernels import elementary
from fastbp.kernels.jit import kernel
from fastbp.kernels.simd import lanes, load_first, store_first

DTYPES = [np.float32, np.float64]


@kernel
def quotients(a, b, out):
    for i in range(0, a.size, lanes(a)):
        left = a.size - i
        store_first(
            out, i, elementary.quotient(load_first(a, i, left), load_first(b, i, left)), left
        )


@kernel
def roots(x, out):
    for i in range(0, x.size, lanes(x)):
        store_first(out, i, elementary.root(load_first(x, i, x.size - i)), x.size - i)


def ulps(got, expected):
    """Distance in units of the last place of the result."""
    unit = np.spacing(np.abs(expected).astype(got.dtype)).astype(np.longdouble)
    return float((np.abs(got.astype(np.longdouble) - expected) / unit).max())


def positive(dtype, largest_power, n=200_000):
    """Numbers of every size from 10^-largest_power to 10^largest_power."""
    rng = np.random.default_rng(0)
    return (10.0 ** rng.uniform(-largest_power, largest_power, n)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotient(dtype):
    b = positive(dtype, 18)
    a = np.random.default_rng(1).normal(size=b.size).astype(dtype)
    out = np.empty_like(a)
    quotients(a, b, out)
    assert ulps(out, a.astype(np.longdouble) / b.astype(np.longdouble)) < 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_root(dtype):
    x = positive(dtype, 37)
    out = np.empty_like(x)
    roots(x, out)
    assert ulps(out, np.sqrt(x.astype(np.longdouble))) < 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges(dtype):
    """Adam's v is 0 before a weight has had a gradient; what is not finite must show."""
    x = np.array([0, 1, 4, 9, np.nan], dtype)
    out = np.empty_like(x)
    roots(x[:4].copy(), out[:4])
    assert 0 <= out[0] < 2e-19
    np.testing.assert_array_equal(out[1:4], [1, 2, 3])
    a, b = np.array([np.nan, np.inf, 0, 3], dtype), np.array([1, 2, 5, 0.5], dtype)
    quotient = np.empty_like(a)
    quotients(a, b, quotient)
    np.testing.assert_array_equal(quotient, [np.nan, np.inf, 0, 6])
