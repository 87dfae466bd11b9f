"""Operations on vectors that use how a floating-point number is stored: m 2^e, in bits.

AVX-512 has instructions for some of them; other processors get a few integer operations.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import declare, emit_fma
from .target import VECTOR_BYTES

_HAS_AVX512 = VECTOR_BYTES == 64


def _bit_layout(vector):
    """(the vector's type, integers of its size, bits of the mantissa, bias of the exponent)."""
    if vector.element == ir.FloatType():
        return vector, ir.VectorType(ir.IntType(32), vector.count), 23, 127
    return vector, ir.VectorType(ir.IntType(64), vector.count), 52, 1023


def _constant(vector, number):
    return ir.Constant(vector, [number] * vector.count)


def _avx512(builder, name, vector, *arguments):
    """Call one of LLVM's names of AVX-512's instructions, for all lanes."""
    kind = "ps" if vector.element == ir.FloatType() else "pd"
    kinds = [argument.type for argument in arguments]
    function = declare(builder, f"llvm.x86.avx512.{name}.{kind}.512", vector, kinds)
    return builder.call(function, arguments)


def _every_lane(vector):
    return ir.IntType(vector.count)((1 << vector.count) - 1)


@intrinsic
def reciprocal(typingctx, value):
    """1 / value to half of its digits at least, for what a remainder will put right; finite.

    Processors estimate it in a quarter of the time of a division: AVX-512 to 14 bits, which a
    Newton step doubles for float64, AVX2 to 12 bits of float32. Elsewhere it is a division.
    """

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        kind = value.type
        if VECTOR_BYTES == 32 and kind.element == ir.FloatType():
            return builder.call(declare(builder, "llvm.x86.avx.rcp.ps.256", kind, [kind]), [value])
        one = _constant(kind, 1.0)
        if not _HAS_AVX512:
            return builder.fdiv(one, value)
        zeros = ir.Constant(kind, None)
        estimate = _avx512(builder, "rcp14", kind, value, zeros, _every_lane(kind))
        if kind.element == ir.FloatType():
            return estimate
        remainder = emit_fma(builder, builder.fneg(estimate), value, one)
        return emit_fma(builder, estimate, remainder, estimate)

    return value(value), emit


@intrinsic
def inverse_sqrt(typingctx, value):
    """1 / sqrt(value) to half of its digits at least; for positive normal numbers, AVX-512 only."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        kind = value.type
        if not _HAS_AVX512:  # never called, but compiled
            return value
        zeros = ir.Constant(kind, None)
        estimate = _avx512(builder, "rsqrt14", kind, value, zeros, _every_lane(kind))
        if kind.element == ir.FloatType():
            return estimate
        half = _constant(kind, 0.5)
        product = builder.fmul(builder.fmul(value, estimate), estimate)
        remainder = emit_fma(builder, builder.fneg(half), product, half)  # (1 - value r^2) / 2
        return emit_fma(builder, estimate, remainder, estimate)

    return value(value), emit


@intrinsic
def has_estimates(typingctx, value):
    """Whether `inverse_sqrt` may be called: a compile-time constant."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(types.boolean, _HAS_AVX512)

    return types.boolean(value), emit


@intrinsic
def split_exponent(typingctx, value):
    """(m, e) with value = m 2^e and m in [1, 2), for positive normal numbers."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        kind, integers, mantissa_bits, bias = _bit_layout(value.type)
        bits = builder.bitcast(value, integers)
        exponent = builder.sub(
            builder.lshr(bits, _constant(integers, mantissa_bits)), _constant(integers, bias)
        )
        mantissa = builder.or_(
            builder.and_(bits, _constant(integers, (1 << mantissa_bits) - 1)),
            _constant(integers, bias << mantissa_bits),
        )
        pair = [builder.bitcast(mantissa, kind), builder.sitofp(exponent, kind)]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(value, 2)(value), emit


def _magic(vector):
    """A number that is added to a whole n, so that the last bits are n's exponent as it is kept."""
    _, _, mantissa_bits, bias = _bit_layout(vector)
    return _constant(vector, 1.5 * 2.0**mantissa_bits + bias)


def _emit_power(builder, shifted):
    """2^n, from n plus `_magic`."""
    kind, integers, mantissa_bits, _ = _bit_layout(shifted.type)
    bits = builder.shl(builder.bitcast(shifted, integers), _constant(integers, mantissa_bits))
    return builder.bitcast(bits, kind)


@intrinsic
def nearest_powers(typingctx, value):
    """(n, 2^n) with the whole n nearest to value / ln 2; the power where its exponent is normal.

    A large number that is added leaves no fraction; n is in its last bits.
    """

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        magic, inverse = _magic(value.type), _constant(value.type, 1.4426950408889634)
        shifted = emit_fma(builder, value, inverse, magic)
        pair = [builder.fsub(shifted, magic), _emit_power(builder, shifted)]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(value, 2)(value), emit


@intrinsic
def scale(typingctx, value, n):
    """value * 2^n, rounded once; n is whole, and may be below or above every exponent by half."""

    def emit(context, builder, signature, arguments):
        value, n = arguments
        kind = value.type
        if _HAS_AVX512:
            nearest = ir.IntType(32)(4)  # rounding as usual
            return _avx512(
                builder, "mask.scalef", kind, value, n, value, _every_lane(kind), nearest
            )
        # Two factors: 2^128 and 2^-149 have no exponent of their own. By sums: to convert float64
        # to integers takes AVX2 a dozen instructions, a fifth of the time of e^x.
        magic = _magic(kind)
        half = emit_fma(builder, n, _constant(kind, 0.5), magic)
        rest = builder.fadd(builder.fsub(n, builder.fsub(half, magic)), magic)
        scaled = builder.fmul(value, _emit_power(builder, half))
        return builder.fmul(scaled, _emit_power(builder, rest))

    return value(value, value), emit
