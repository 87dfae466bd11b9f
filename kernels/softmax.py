"""Softmax of a row, within 2 ulp of the exact one.

e^(z - max) / sum, each rounded, is wrong by three ulp and, where max is large, by far more, since
z - max is rounded too. So nothing is rounded here before the last step: e^(z - max) stays
2^n (1 + q), the difference, the sum and its inverse are each kept as two numbers.
"""

from .elementary import (
    expm1_near_zero,
    maximum,
    nearest_power,
    not_below_underflow,
    subtract_head,
    subtract_tail,
    upper_half,
)
from .floats import scale
from .jit import inlined, kernel
from .simd import (
    broadcast,
    broadcast_like,
    first_lanes,
    fma,
    lanes,
    load,
    max_lanes,
    select,
    store,
    sum_lanes,
)
from .target import VECTOR_BYTES

# A number this large, 1.5 * 2^10, has 2^-13 (float32) or 2^-42 as its last digit. Adding and
# subtracting it rounds to that grid, and of numbers on the grid, 2,000 between 0 and 1 have an
# exact sum.
_GRID = 1536.0


@inlined
def greatest(arena, at, n, apart):
    """The greatest of n numbers, in every lane, or of each lane's; NaN if the first is."""
    first = load(arena, at) if apart else broadcast(arena, arena[at])
    top = first
    for j in range(0, n, lanes(arena)):
        z = load(arena, at + j)
        top = maximum(top, select(first_lanes(z, n - j), z, first))
    return top if apart else broadcast(arena, max_lanes(top))


@inlined
def difference(z, top):
    """z - top, but not below where e^(z - top) is 0."""
    return not_below_underflow(z - top)


@inlined
def lost_in_difference(z, top, d):
    """What rounding took from d = z - top (Knuth's two-sum); 0 where d is a bound."""
    back = d - z
    lost = (z - (d - back)) - (top + back)
    return select(d == z - top, lost, broadcast_like(d, 0))


@inlined
def inverse_of_sum(total, lost):
    """1 / (total + lost) as a number and a smaller one, which is to be added."""
    inverse = 1 / total
    if VECTOR_BYTES == 16:  # a product may be rounded before it is added
        short, upper = upper_half(inverse), upper_half(total)
        remainder = (1 - short * upper) - short * (total - upper)
        return short, (remainder - short * lost) * inverse
    return inverse, fma(-inverse, lost, fma(-inverse, total, 1)) * inverse


@inlined
def only_outputs(terms, left):
    """A vector of terms, 0 behind the last output of a row."""
    return select(first_lanes(terms, left), terms, broadcast_like(terms, 0))


@inlined
def sum_of_outputs(arena, terms, apart):
    """The sum over outputs of what vectors have been added up to, for each row."""
    return terms if apart else broadcast(arena, sum_lanes(terms))


@kernel
def softmax(arena, z_at, a_at, n, apart):
    """a_j = e^z_j / sum_k e^z_k of a row (book, equation 78); returns max z, sum e^(z - max).

    `apart`: of as many rows as there are lanes, a vector for each output, n numbers in all.
    """
    width = lanes(arena)
    top = greatest(arena, z_at, n, apart)
    on_grid, rest = broadcast(arena, 0), broadcast(arena, 0)
    for j in range(0, n, width):
        z = load(arena, z_at + j)
        d = difference(z, top)
        power = nearest_power(d)
        tail = subtract_tail(lost_in_difference(z, top, d), power)
        q = expm1_near_zero(subtract_head(d, power) + tail)
        store(arena, a_at + j, q)
        whole = scale(broadcast(arena, 1), power)
        rounded = (fma(q, whole, whole) + _GRID) - _GRID
        on_grid = on_grid + only_outputs(rounded, n - j)
        rest = rest + only_outputs(fma(q, whole, whole - rounded), n - j)
    on_grid, rest = sum_of_outputs(arena, on_grid, apart), sum_of_outputs(arena, rest, apart)
    total = on_grid + rest
    lost = rest - (total - on_grid)
    inverse, more = inverse_of_sum(total, lost)
    for j in range(0, n, width):
        power = nearest_power(difference(load(arena, z_at + j), top))
        q = load(arena, a_at + j)
        a = scale(inverse + fma(q, inverse, fma(q, more, more)), power)
        store(arena, a_at + j, only_outputs(a, n - j))
    return top, total
