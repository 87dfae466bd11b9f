"""exp, tanh and their kin, to the ulp: float32 against NumPy's float64, float64 against decimal.

An error of n ulp is n times the distance of the correct result to the next number of its type.
Functions of losses and activations are asked over all numbers they may meet.
"""

from decimal import Context, Decimal

import naive
import numpy as np
import pytest

from fastbp.kernels import elementary
from fastbp.kernels.jit import kernel
from fastbp.kernels.normal import normal_cdf
from fastbp.kernels.simd import lanes, load_first, store_first
from fastbp.kernels.softmax import softmax

EXP, EXPM1, TANH, SIGMOID, LOG, LOG1P, NORMAL_CDF = range(7)
DTYPES = [np.float32, np.float64]


@kernel
def apply(function, x, out):
    """One of the functions, of every element."""
    for i in range(0, x.size, lanes(x)):
        v = load_first(x, i, x.size - i)
        if function == EXP:
            y = elementary.exp(v)
        elif function == EXPM1:
            y = elementary.expm1(v)
        elif function == TANH:
            y = elementary.tanh(v)
        elif function == SIGMOID:
            y = elementary.sigmoid(v)
        elif function == LOG:
            y = elementary.log(v)
        elif function == LOG1P:
            y = elementary.log1p(v)
        else:
            y = normal_cdf(v)
        store_first(out, i, y, x.size - i)


@kernel
def softmax_rows(rows, out, arena):
    """Softmax of each row, by way of an arena that has room for whole vectors."""
    n, a_at = rows.shape[1], arena.size // 2
    for r in range(rows.shape[0]):
        for j in range(n):
            arena[j] = rows[r, j]
        softmax(arena, 0, a_at, n, False)
        for j in range(n):
            out[r, j] = arena[a_at + j]


@kernel
def softmax_columns(rows, out, arena):
    """The same, as many rows at once as there are lanes: a vector for each output."""
    n, width = rows.shape[1], lanes(rows)
    for first in range(0, rows.shape[0], width):
        count = min(width, rows.shape[0] - first)
        for i in range(count):
            for j in range(n):
                arena[j * width + i] = rows[first + i, j]
        softmax(arena, 0, n * width, n * width, True)
        for i in range(count):
            for j in range(n):
                out[first + i, j] = arena[(n + j) * width + i]


WAYS = pytest.mark.parametrize("way", [softmax_rows, softmax_columns])


def softmax_of(rows, way):
    room = -(-rows.shape[1] // 16) * 16
    out, arena = np.empty_like(rows), np.full(32 * room, np.nan, rows.dtype)
    way(rows, out, arena)
    return out


def evaluate(function, x):
    out = np.empty_like(x)
    apply(function, x, out)
    return out


# The references


def exp(x):
    return np.exp(np.minimum(x, 720))


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


IN_DOUBLE = {EXP: exp, EXPM1: np.expm1, TANH: np.tanh, SIGMOID: sigmoid, LOG: np.log,
             LOG1P: np.log1p, NORMAL_CDF: naive.gaussian_cdf}  # fmt: skip

DIGITS = Context(prec=60)


def decimal_expm1(x):
    if abs(x) < Decimal("1e-12"):  # the first term left out is 1e-48 of the result
        return x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4)))
    return DIGITS.exp(x) - 1


def decimal_tanh(x):
    e = decimal_expm1(2 * abs(x))
    return DIGITS.divide(e, e + 2).copy_sign(x)


def decimal_sigmoid(x):
    e = DIGITS.exp(-abs(x))
    return DIGITS.divide(e if x < 0 else Decimal(1), 1 + e)


def decimal_log1p(x):
    if x < Decimal("1e-12"):
        return x * (1 - x / 2 + x * x / 3 - x * x * x / 4)
    return DIGITS.ln(1 + x)


def decimal_area(x, context):
    """Integral of e^(-t^2 / 2) from 0 to x: e^(-x^2 / 2) (x + x^3 / 3 + x^5 / (3 5) + ...)."""
    term = total = x
    k = 1
    while total and abs(term) > abs(total).scaleb(-context.prec):
        k += 2
        term = context.divide(context.multiply(term, context.multiply(x, x)), k)
        total = context.add(total, term)
    return context.multiply(total, context.exp(context.divide(context.multiply(x, x), -2)))


# Half of the whole area, sqrt(pi / 2): beyond 50 there is 1e-545.
HALF = decimal_area(Decimal(50), Context(prec=600))


def decimal_normal_cdf(x):
    context = Context(prec=60 + int(x * x / 4))  # Q(40) = 1 / 2 - ... begins 350 digits further on
    half = Decimal("0.5")
    return context.add(half, context.divide(context.multiply(decimal_area(x, context), half), HALF))


IN_DECIMAL = {EXP: DIGITS.exp, EXPM1: decimal_expm1, TANH: decimal_tanh, SIGMOID: decimal_sigmoid,
              LOG: DIGITS.ln, LOG1P: decimal_log1p, NORMAL_CDF: decimal_normal_cdf}  # fmt: skip


def errors_in_single(got, expected):
    """In ulp; `expected` is float64, good to 1e-9 of a float32's ulp."""
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float32)
    infinite = np.isinf(rounded)
    np.testing.assert_array_equal(got[infinite], rounded[infinite])
    ulp = np.spacing(np.abs(rounded[~infinite])).astype(float)
    return np.abs(got[~infinite].astype(float) - expected[~infinite]) / ulp


def errors_in_double(got, expected):
    """In ulp; `expected` are Decimals."""
    errors = []
    for number, right in zip(got.tolist(), expected, strict=True):
        rounded = float(right)
        if np.isinf(rounded):
            assert number == rounded
        else:
            assert np.isfinite(number)
            ulp = Decimal(float(np.spacing(abs(rounded))))
            errors.append(float(abs(Decimal(number) - right) / ulp))
    return np.array(errors)


def beside(numbers):
    """The numbers, and the two next to each."""
    numbers = np.asarray(numbers)
    with np.errstate(over="ignore", under="ignore"):
        sides = [np.nextafter(numbers, numbers.dtype.type(to)) for to in (-np.inf, np.inf)]
    numbers = np.concatenate([numbers, *sides])
    return numbers[np.isfinite(numbers)]


# Where results overflow, underflow, saturate or change their formula; as float64.
EDGES = [
    *(0.0, 2.0**-53, 2.0**-24, 0.34657359027997264, 0.5, 1.0, 1.0397207708399179, 2.0),
    *(9.01, 10.0, 19.06, 20.0, 40.0, 87.33654475055312, 88.72283905206835, 103.97208),
    *(708.3964185322641, 709.782712893384, 744.4400719213812, 745.1332191019412, 1e30),
]


def every_number(dtype, step):
    """Every step-th bit pattern that is a finite number, and the edges."""
    bits = {np.float32: np.uint32, np.float64: np.uint64}[dtype]
    info = np.finfo(dtype)
    top = np.array(info.max).view(bits)
    positive = np.arange(0, int(top) + 1, step, dtype=bits).view(dtype)
    edges = beside(np.array([*EDGES, info.tiny, info.smallest_subnormal, info.max], dtype))
    edges = np.concatenate([edges, beside(2.0 ** np.arange(-30, 11).astype(dtype))])
    return np.concatenate([positive, -positive, edges, -edges])


def numbers_in_double(seed):
    """All exponents sparsely, and what nets meet densely."""
    rng = np.random.default_rng(seed)
    dense = [rng.uniform(-750, 712, 3000), rng.normal(size=2000), rng.uniform(-20, 20, 2000)]
    return np.concatenate([every_number(np.float64, 2**62 // 1000 + 1), *dense])


# In ulp. exp, tanh and the sigmoid are what activations are made of. expm1 loses a bit where
# 2^n q and 2^n - 1 nearly cancel; logarithms are of costs only. The normal distribution's tail
# is a product of three, the right side what it leaves of 1.
BOUNDS = {EXP: 2, TANH: 2, SIGMOID: 2, EXPM1: 3, LOG: 3, LOG1P: 3, NORMAL_CDF: 8}


def in_domain(function, x):
    if function == LOG:  # positive normal numbers
        return x[x >= np.finfo(x.dtype).tiny]
    if function == LOG1P:
        return x[(x >= 0) & (x <= 1)]
    if function == EXPM1:  # of negative numbers, or of twice what saturates tanh
        return x[x <= 40]
    if function == NORMAL_CDF:  # 0 or 1 beyond
        return x[np.abs(x) <= 40]
    return x


@pytest.mark.parametrize("function", BOUNDS)
def test_float32(function):
    x = in_domain(function, every_number(np.float32, 997))
    assert len(x) > 100_000
    with np.errstate(over="ignore", under="ignore"):
        expected = IN_DOUBLE[function](x.astype(float))
    assert errors_in_single(evaluate(function, x), expected).max() <= BOUNDS[function]


@pytest.mark.parametrize("function", BOUNDS)
def test_float64(function):
    x = in_domain(function, numbers_in_double(function))
    assert len(x) > 500
    # exp(2000) and tanh(2000) are what they are beyond: infinite, 0, 1.
    numbers = [Decimal(v) for v in (x if function == LOG else np.clip(x, -2000, 2000)).tolist()]
    expected = [IN_DECIMAL[function](v) for v in numbers]
    assert errors_in_double(evaluate(function, x), expected).max() <= BOUNDS[function]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "at_minus_infinity", "at_zero", "at_infinity"),
    [
        (EXP, 0, 1, np.inf),
        (EXPM1, -1, 0, None),
        (TANH, -1, 0, 1),
        (SIGMOID, 0, 0.5, 1),
        (NORMAL_CDF, 0, 0.5, 1),
    ],
)
def test_limits_and_nan(function, at_minus_infinity, at_zero, at_infinity, dtype):
    x = np.array([-np.inf, -0.0, 0.0, np.inf, np.nan, -np.finfo(dtype).max], dtype)
    y = evaluate(function, x)
    assert y[0] == y[5] == at_minus_infinity
    assert y[1] == y[2] == at_zero
    assert at_infinity is None or y[3] == at_infinity
    assert np.isnan(y[4])


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_1_and_log1p_of_0(dtype):
    assert evaluate(LOG, np.array([1], dtype)) == 0
    assert evaluate(LOG1P, np.array([0], dtype)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_odd_and_at_most_1(dtype):
    x = np.linspace(0, 25, 100_001).astype(dtype)
    y = evaluate(TANH, x)
    np.testing.assert_array_equal(evaluate(TANH, -x), -y)
    assert y.max() == 1


def softmax_errors(row, dtype, way):
    row = np.asarray(row, dtype)
    out = softmax_of(row[None], way)[0]
    top = Decimal(float(row.max()))
    e = [DIGITS.exp(max(Decimal(float(z)) - top, Decimal(-2000))) for z in row]
    total = sum(e)
    exact = [DIGITS.divide(v, total) for v in e]
    if dtype == np.float64:
        return errors_in_double(out, exact)
    return errors_in_single(out, np.array([float(v) for v in exact]))


@WAYS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 15, 16, 17, 33, 100])
def test_softmax(n, dtype, way):
    """Two ulp for narrow and wide rows, subnormal results too, and where z - max z is rounded."""
    rng = np.random.default_rng(n)
    for width in (0.5, 8, 100, 1500):
        for middle in (0, 1000, -1e5):
            z = rng.uniform(middle - width, middle + width, n)
            assert softmax_errors(z, dtype, way).max() <= 2


@WAYS
@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_softmax_of_many_rows(n, way):
    """Worst cases are rare; those of float32 are found by comparing with float64."""
    rng = np.random.default_rng(n)
    for width in (0.1, 1, 10, 40):
        z = rng.uniform(-5, 5) + width * rng.uniform(-1, 1, (200_000 // n, n)).astype(np.float32)
        e = np.exp(z.astype(float) - z.max(1, keepdims=True))
        expected = e / e.sum(1, keepdims=True)
        assert errors_in_single(softmax_of(z, way), expected).max() <= 2


@WAYS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("low", [-0.0, -9.0, -40.0])
def test_softmax_of_many(low, dtype, way):
    """Among three thousand, none of which may be lost in the sum beside the greatest."""
    rng = np.random.default_rng(3000)
    z = low + rng.uniform(-1, 1, 3000)
    z[rng.integers(3000)] = 0
    assert softmax_errors(z, dtype, way).max() <= 2


@WAYS
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_at_its_edges(dtype, way):
    def of(row):
        return softmax_of(np.array([row], dtype), way)[0].tolist()

    top = float(np.finfo(dtype).max)
    assert of([top, -top]) == [1, 0]
    assert of([-top, -top, -top, -top]) == [0.25] * 4
    assert of([-0.0, 0.0]) == [0.5, 0.5]
    assert of([0.0, -np.inf]) == [1, 0]
    assert np.isnan(of([0.0, np.nan, 1.0])).all()
    assert np.isnan(of([np.nan, 0.0, 1.0])).all()
