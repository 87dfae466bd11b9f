"""tanh by pieces, in float32: its table lies in registers, as AVX-512 can look things up there.

A quarter of the way from one power of two to the next is one piece: the exponent of |x| and the
first two bits of its mantissa number it. Each piece has a polynomial around its middle, whose
coefficients an instruction looks up for 16 numbers, from 32 in two registers. It takes 10 cycles
a vector where elementary.py's quotient of exponentials takes 16.
"""

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import declare, emit_fma
from .target import VECTOR_BYTES

LIMIT = 9.02  # from there on tanh is 1 to the last bit
_LEAST = 0.125  # below it, down to 0, one piece
_DEGREE = 5
_SHIFT = 21  # bits of a float32 that do not tell the piece
_ENTRIES = 32  # of a table; pieces are numbered modulo that


def _piece_of(x):
    return int(np.float32(x).view(np.int32)) >> _SHIFT


def _beginning_of(piece):
    return float(np.int32(piece << _SHIFT).view(np.float32))


def _table():
    """The middles, then the coefficients from the constant on: (2 + _DEGREE, _ENTRIES) float32."""
    from numpy.polynomial import Chebyshev, Polynomial  # of use only to compile

    table, first = np.zeros((2 + _DEGREE, _ENTRIES), np.float32), _piece_of(_LEAST)
    for piece in range(first, _piece_of(LIMIT) + 1):
        begin, end = _beginning_of(piece), min(_beginning_of(piece + 1), LIMIT)
        if piece == first:  # x (tanh(x) / x): small numbers must be exact to as many digits
            middle = 0.0
            ratio = Chebyshev.interpolate(lambda x: np.tanh(x) / x, _DEGREE - 1, [0, end])
            coefficients = [0, *ratio.convert(kind=Polynomial).coef]
        else:
            middle = (begin + end) / 2
            domain = [begin - middle, end - middle]
            near = Chebyshev.interpolate(lambda t, m=middle: np.tanh(m + t), _DEGREE, domain)
            coefficients = near.convert(kind=Polynomial).coef
        table[:, piece % _ENTRIES] = middle, *coefficients
    return table


@intrinsic
def has_pieces(typingctx, value):
    """Whether `tanh_by_pieces` may be called: a compile-time constant."""

    def emit(context, builder, signature, arguments):
        is_single = value.dtype == types.float32
        return context.get_constant(types.boolean, VECTOR_BYTES == 64 and is_single)

    return types.boolean(value), emit


@intrinsic
def tanh_by_pieces(typingctx, value):
    """tanh of 0 <= value <= LIMIT, and of NaN."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        kind = value.type
        if VECTOR_BYTES != 64 or kind.element != ir.FloatType():  # never called, but compiled
            return value
        integers = ir.VectorType(ir.IntType(32), kind.count)
        name, kinds = "llvm.x86.avx512.vpermi2var.ps.512", [kind, integers, kind]
        permute = declare(builder, name, kind, kinds)

        def all_lanes(number):
            return ir.Constant(integers, [number] * kind.count)

        def look_up(row):
            lower, upper = (ir.Constant(kind, half.tolist()) for half in np.split(row, 2))
            return builder.call(permute, [lower, piece, upper])

        bits, least = builder.bitcast(value, integers), all_lanes(_piece_of(_LEAST) << _SHIFT)
        bits = builder.select(builder.icmp_signed(">", bits, least), bits, least)
        piece = builder.lshr(bits, all_lanes(_SHIFT))  # of which the last five bits count
        middles, *coefficients = _table()
        t = builder.fsub(value, look_up(middles))
        total = look_up(coefficients.pop())
        while coefficients:
            total = emit_fma(builder, total, t, look_up(coefficients.pop()))
        return total

    return value(value), emit
