"""exp, expm1, tanh, sigmoid, log and log1p of vectors: no branches, no calls, a few ulp.

exp: x = n ln 2 + r with |r| <= ln(2)/2, then e^x = 2^n e^r, e^r by its Taylor series: the first
term left out, r^8/8! (float32) or r^14/14! (float64), lies below half an ulp. The others follow
from e^r - 1 or from the series of artanh. Every function reads one vector and gives one.
"""

from .estimates import reciprocal
from .jit import inlined, kernel
from .simd import (
    absolute,
    broadcast_like,
    copy_sign,
    fma,
    is_double,
    power_of_two,
    select,
    split_exponent,
)


@inlined
def _round(x):
    """Nearest whole number, for |x| < 2^22: large enough a number has no fraction bits."""
    if is_double(x):
        return (x + 6755399441055744.0) - 6755399441055744.0  # 1.5 * 2^52
    return (x + 12582912.0) - 12582912.0  # 1.5 * 2^23


@inlined
def _reduce(x):
    """(n, e^r - 1): x = n ln 2 + r. ln 2 is split so that n * (its head) is exact."""
    n = _round(x * 1.4426950408889634)  # 1 / ln 2
    if is_double(x):
        r = fma(n, -1.9082149292705877e-10, fma(n, -0.693147180369123816490, x))
        p = fma(r, 1.6059043836821613e-10, 2.08767569878681e-09)  # 1/13!, 1/12!
        p = fma(p, r, 2.505210838544172e-08)
        p = fma(p, r, 2.755731922398589e-07)
        p = fma(p, r, 2.7557319223985893e-06)
        p = fma(p, r, 2.48015873015873e-05)
        p = fma(p, r, 0.0001984126984126984)
    else:
        r = fma(n, -1.42860677e-6, fma(n, -0.693145751953125, x))
        p = broadcast_like(r, 0.0001984126984126984)  # 1/7!
    p = fma(p, r, 0.001388888888888889)
    p = fma(p, r, 0.008333333333333333)
    p = fma(p, r, 0.041666666666666664)
    p = fma(p, r, 0.16666666666666666)
    p = fma(p, r, 0.5)
    return n, fma(r * r, p, r)


@inlined
def maximum(a, b):
    """The greater of the two; b where one of them is NaN."""
    return select(a > b, a, b)


@inlined
def minimum(a, b):
    """The smaller of the two; b where one of them is NaN."""
    return select(a < b, a, b)


@inlined
def _clip(x, low, high):
    """Keep x within [low, high]; NaN stays NaN."""
    x = select(x < low, broadcast_like(x, low), x)
    return select(x > high, broadcast_like(x, high), x)


@kernel
def exp(x):
    """e^x; overflows to infinity and underflows through the subnormal numbers to 0."""
    if is_double(x):
        x = _clip(x, -746.0, 710.0)
    else:
        x = _clip(x, -104.0, 89.0)
    n, q = _reduce(x)
    half = _round(n * 0.5)  # 2^n in two factors: 2^128 and 2^-149 have no exponent of their own
    return (q + 1) * power_of_two(half) * power_of_two(n - half)


@kernel
def expm1(x):
    """e^x - 1, exact to a few ulp near 0 too."""
    if is_double(x):
        x = _clip(x, -40.0, 709.0)
    else:
        x = _clip(x, -20.0, 88.0)
    return _expm1(x)


@inlined
def _expm1(x):
    n, q = _reduce(x)
    scale = power_of_two(n)
    return fma(scale, q, scale - 1)


@inlined
def _divide_by_sum(x, a, b):
    """x / (a + b) within 0.6 ulp, for 0 <= a and b = 1 or 2.

    total - b is exact, so a + b = total + lost, exactly; the remainder puts both roundings right.
    """
    total = a + b
    lost = a - (total - b)
    inverse = reciprocal(total)
    quotient = x * inverse
    remainder = fma(-quotient, lost, fma(-quotient, total, x))
    return fma(remainder, inverse, quotient)


@kernel
def tanh(x):
    """(e^2x - 1) / (e^2x + 1), computed for |x| and given its sign back."""
    limit = 20.0 if is_double(x) else 10.0  # beyond it, 1 to the last bit
    e = _expm1(minimum(broadcast_like(x, limit), absolute(x)) * 2)
    return copy_sign(_divide_by_sum(e, e, broadcast_like(x, 2)), x)


@kernel
def sigmoid(x):
    """1 / (1 + e^-x), as e^x / (1 + e^x) for negative x: no overflow, no lost small values."""
    one = broadcast_like(x, 1)
    e = exp(-absolute(x))
    return _divide_by_sum(select(x < 0, e, one), e, one)


@kernel
def log(x):
    """Natural logarithm of positive normal numbers: x = 2^e m, ln m = 2 artanh((m-1)/(m+1))."""
    m, e = split_exponent(x)
    upper = m > 1.4142135623730951
    m = select(upper, m * 0.5, m)
    e = select(upper, e + 1, e)
    t = (m - 1) / (m + 1)
    s = t * t  # at most 0.0295
    if is_double(x):
        p = fma(s, 0.08695652173913043, 0.09523809523809523)  # 2/23, 2/21
        p = fma(p, s, 0.10526315789473684)
        p = fma(p, s, 0.11764705882352941)
        p = fma(p, s, 0.13333333333333333)
        p = fma(p, s, 0.15384615384615385)
        p = fma(p, s, 0.18181818181818182)
    else:
        p = broadcast_like(s, 0.18181818181818182)  # 2/11
    p = fma(p, s, 0.2222222222222222)
    p = fma(p, s, 0.2857142857142857)
    p = fma(p, s, 0.4)
    p = fma(p, s, 0.6666666666666666)
    tail = fma(t * s, p, e * 1.9082149292705877e-10)
    return fma(e, 0.693147180369123816490, fma(t, 2, tail))


@kernel
def log1p(x):
    """ln(1 + x) for 0 <= x <= 1: the rounding of 1 + x is put right to first order."""
    u = x + 1
    return log(u) + (x - (u - 1)) / u
