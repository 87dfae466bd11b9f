"""Phi, the distribution function of N(0, 1), of vectors: no branches, no calls.

Of the tail Q(t) = 1 - Phi(t) = e^(-t^2 / 2) v P(2v - 1), with v = 4 / (4 + t), the polynomial P is
all that is not known: by Chebyshev interpolation, from t = 0 to where Q is 0, wrong by 2^-26
(float32) and 2^-54 (float64). Phi is within 8 ulp, left of 0 too, where (1 + erf(z / sqrt 2)) / 2
loses all digits.
"""

from .elementary import exp, minimum, upper_half
from .jit import inlined, kernel
from .polynomial import polynomial
from .simd import absolute, broadcast_like, fma, is_double, select
from .target import VECTOR_BYTES

_of_tail = polynomial(  # P(w) for -0.82 <= w <= 1
    (
        *(0.1888212846, 0.1519741515, 0.09678416995, 0.04663075147, 0.01510161744),
        *(0.001881803228, -0.0008808935141, -0.0003923284113, 4.870046279e-5, 3.074578925e-5),
    ),
    (
        *(0.18882128260393788, 0.15197416049297294, 0.09678435018555469),
        *(0.046630464489923584, 0.015099143722676612, 0.0018850472413961795),
        *(-0.0008699230905944433, -0.0004077046104320396, 3.333606383396117e-5),
        *(5.7773704164584326e-5, -4.769684467260611e-7, -8.786042816532377e-6),
        *(1.787573269140937e-7, 1.4797141886994984e-6, -1.562944031805133e-7),
        *(-2.5493097652414585e-7, 6.593213796126116e-8, 3.853834272569936e-8),
        *(-1.9098446236323115e-8, -3.6240738969908793e-9, 3.477151179137329e-9),
        *(-2.470816699234212e-11, -2.387101565457795e-10),
    ),
)


@inlined
def lost_in_square(t, square):
    """What rounding took from t^2."""
    if VECTOR_BYTES == 16:  # a product may be rounded before it is added
        high = upper_half(t)
        low = t - high
        return (high * high - square) + high * low * 2 + low * low
    return fma(t, t, -square)


@kernel
def normal_cdf(z):
    """Phi(z)."""
    limit = 38.7 if is_double(z) else 14.5  # beyond it, Q is 0
    t = minimum(broadcast_like(z, limit), absolute(z))
    square = t * t
    power = exp(square * -0.5)
    power = fma(power, lost_in_square(t, square) * -0.5, power)  # 2^-24 of 100 would be 50 ulp
    v = broadcast_like(z, 4) / (t + 4)
    tail = power * (v * _of_tail(fma(v, 2, -1)))
    return select(z > 0, 1 - tail, tail)
