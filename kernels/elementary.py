"""exp, expm1, tanh, sigmoid, log, log1p, roots and quotients of vectors: no branches, no calls.

exp: x = n ln 2 + r with |r| <= ln(2)/2, then e^x = 2^n e^r, and e^r = 1 + r + r^2 p(r) with the
polynomial p that leaves the smallest error of e^r at its worst (Remez's): 0.05 (float32) and 0.03
(float64) of half an ulp. The Taylor series takes one and two terms more for as much. The others
follow from e^r - 1 or from the series of artanh.
"""

from .floats import (
    has_estimates,
    inverse_sqrt,
    nearest_powers,
    reciprocal,
    scale,
    split_exponent,
)
from .jit import inlined, kernel
from .pieces import has_pieces, LIMIT, tanh_by_pieces
from .polynomial import polynomial
from .simd import absolute, broadcast_like, copy_sign, fma, is_double, select, sqrt
from .target import VECTOR_BYTES


@inlined
def nearest_power(x):
    """n, the whole number nearest to x / ln 2, for |x| < 2^21."""
    n, _ = nearest_powers(x)  # an index may call a function of numba's, which a part cannot
    return n


@inlined
def subtract_head(x, n):
    """x - n * (the head of ln 2), exactly: the head has few digits."""
    if is_double(x):
        return fma(n, -0.693147180369123816490, x)
    return fma(n, -0.693145751953125, x)


@inlined
def subtract_tail(x, n):
    """x - n * (ln 2 - its head)."""
    if is_double(x):
        return fma(n, -1.9082149292705877e-10, x)
    return fma(n, -1.42860677e-6, x)


_of_exp = polynomial(
    (0.500000009527, 0.166665186759, 0.0416662053703, 0.00836891107547, 0.00139505252833),
    (
        *(0.50000000000000126958, 0.16666666666666699071, 0.04166666666651558233),
        *(0.0083333333333071856795, 0.0013888888947010910006, 0.00019841269917448683103),
        *(0.000024801489918093498972, 2.7557216227262764091e-6, 2.763129727336297073e-7),
        2.511788814096073079e-8,
    ),
)


@kernel
def expm1_near_zero(r):
    """e^r - 1 = r + r^2 p(r) for |r| <= ln(2)/2."""
    return fma(r * r, _of_exp(r), r)


@kernel
def _reduce(x):
    """(n, e^r - 1): x = n ln 2 + r."""
    n = nearest_power(x)
    return n, expm1_near_zero(subtract_tail(subtract_head(x, n), n))


@kernel
def maximum(a, b):
    """The greater of the two; b where one of them is NaN."""
    return select(a > b, a, b)


@inlined
def minimum(a, b):
    """The smaller of the two; b where one of them is NaN."""
    return select(a < b, a, b)


@kernel
def _clip(x, low, high):
    """Keep x within [low, high]; NaN stays NaN."""
    x = select(x < low, broadcast_like(x, low), x)
    return select(x > high, broadcast_like(x, high), x)


@inlined
def not_below_underflow(x):
    """x, or instead of less a number whose e^x is 0 as well; NaN stays NaN."""
    return maximum(broadcast_like(x, -746.0 if is_double(x) else -104.0), x)


@kernel
def exp(x):
    """e^x; overflows to infinity and underflows through the subnormal numbers to 0."""
    most = broadcast_like(x, 710.0 if is_double(x) else 89.0)
    return _exp(select(x > most, most, not_below_underflow(x)))


@kernel
def _exp(x):
    n, q = _reduce(x)
    return scale(q + 1, n)


@kernel
def expm1(x):
    """e^x - 1, exact to a few ulp near 0 too."""
    if is_double(x):
        x = _clip(x, -40.0, 709.0)
    else:
        x = _clip(x, -20.0, 88.0)
    return _expm1(x)


@kernel
def _expm1(x):
    n, power = nearest_powers(x)
    q = expm1_near_zero(subtract_tail(subtract_head(x, n), n))
    return fma(power, q, power - 1)


@kernel
def _divide_by_sum(x, a, b):
    """x / (a + b).

    The remainder x - quotient (a + b), taken term by term, knows nothing of the rounding of a + b,
    and puts the quotient right. It must be right to more than half of its digits before.
    """
    total = a + b
    inverse = reciprocal(total)
    if VECTOR_BYTES == 32 and not is_double(x):  # a Newton step first takes 1.2 times as long
        quotient = x / total
    else:
        quotient = x * inverse
    remainder = fma(-quotient, a, fma(-quotient, b, x))
    return fma(remainder, inverse, quotient)


@kernel
def tanh(x):
    """(e^2x - 1) / (e^2x + 1), computed for |x| and given its sign back."""
    if has_pieces(x):
        return copy_sign(tanh_by_pieces(minimum(broadcast_like(x, LIMIT), absolute(x))), x)
    limit = 20.0 if is_double(x) else 10.0  # beyond it, 1 to the last bit
    e = _expm1(minimum(broadcast_like(x, limit), absolute(x)) * 2)
    two = broadcast_like(x, 2)
    if VECTOR_BYTES == 16:  # a product may be rounded before it is added: 1.9 ulp, else 2.03
        return copy_sign(_divide_by_sum(e, two, e), x)
    return copy_sign(_divide_by_sum(e, e, two), x)


@kernel
def sigmoid(x):
    """1 / (1 + e^-x), as e^x / (1 + e^x) for negative x: no overflow, no lost small values."""
    one = broadcast_like(x, 1)
    e = _exp(not_below_underflow(-absolute(x)))
    numerator = select(x < 0, e, one)
    return _divide_by_sum(numerator, e, one)


# The series of artanh: 2/3, 2/5, ..., 2/11 or 2/23.
_of_log = polynomial(
    [2 / (2 * i + 3) for i in range(5)],
    [2 / (2 * i + 3) for i in range(11)],
)


@kernel
def log(x):
    """Natural logarithm of positive normal numbers: x = 2^e m, ln m = 2 artanh((m-1)/(m+1))."""
    m, e = split_exponent(x)
    upper = m > 1.4142135623730951
    m = select(upper, m * 0.5, m)
    e = select(upper, e + 1, e)
    t = (m - 1) / (m + 1)
    s = t * t  # at most 0.0295
    p = _of_log(s)
    tail = fma(t * s, p, e * 1.9082149292705877e-10)
    return fma(e, 0.693147180369123816490, fma(t, 2, tail))


@kernel
def log1p(x):
    """ln(1 + x) for 0 <= x <= 1: the rounding of 1 + x is put right to first order."""
    u = x + 1
    return log(u) + (x - (u - 1)) / u


@inlined
def upper_half(x):
    """x without the lower half of its digits (Veltkamp's split): products of two are exact."""
    shifted = x * (134217729.0 if is_double(x) else 4097.0)
    return shifted - (shifted - x)


# A division of 16 float32 takes 16 cycles and a square root 19, in a unit that does one at a time;
# an estimate takes 2. With these two an Adam step takes two thirds of the time.


@kernel
def root(x):
    """The square root of x >= 0 within an ulp; of 0, something below 2e-19."""
    if not has_estimates(x):
        return sqrt(x)
    least = broadcast_like(x, 1.2e-38)  # the estimate of 1 / 0 is infinite
    x = maximum(x, least)
    r = inverse_sqrt(x)
    s = x * r
    return fma(fma(-s, s, x), r * 0.5, s)


@kernel
def quotient(a, b):
    """a / b within 2 ulp, for finite b that are neither 0 nor subnormal."""
    if not has_estimates(a):
        return a / b
    r = reciprocal(b)
    return a * fma(fma(-b, r, 1), r, r)
