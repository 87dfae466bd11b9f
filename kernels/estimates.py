"""Quotients and square roots from the processor's estimates, right to all but the last bit.

A division of 16 float32 takes 16 cycles and a square root 19, in a unit that does one at a time;
an estimate to 14 bits takes 2. A Newton step doubles its good bits, and a last step, from a
remainder that fma computes exactly, leaves an error of little more than half an ulp. Processors
without AVX-512 divide; LLVM knows which of them estimate a reciprocal.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emit import declare, emit_fma
from .jit import inlined
from .simd import broadcast_like, fma, select, sqrt
from .target import VECTOR_BYTES

_HAS_ESTIMATES = VECTOR_BYTES == 64


def _emit_estimate(builder, name, value):
    """1 / value or 1 / sqrt(value), to 14 bits."""
    vector, mask = value.type, ir.IntType(value.type.count)
    kind = "ps" if vector.element == ir.FloatType() else "pd"
    function = declare(
        builder, f"llvm.x86.avx512.{name}14.{kind}.512", vector, [vector, vector, mask]
    )
    return builder.call(function, [value, ir.Constant(vector, None), mask(-1)])


def _constant(vector, number):
    return ir.Constant(vector, [number] * vector.count)


def _newton_steps(vector):
    """How many doublings lead from 14 bits to 24 or 53, but for rounding."""
    return range(1 if vector.element == ir.FloatType() else 2)


@intrinsic
def has_estimates(typingctx, value):
    """Whether this processor has estimates: a compile-time constant."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(types.boolean, _HAS_ESTIMATES)

    return types.boolean(value), emit


@intrinsic
def reciprocal(typingctx, value):
    """1 / value to a few ulp, for what a remainder will put right; value must be finite."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        one = _constant(value.type, 1.0)
        if not _HAS_ESTIMATES:
            return builder.fdiv(one, value, flags=("arcp", "ninf", "contract"))
        r = _emit_estimate(builder, "rcp", value)
        for _ in _newton_steps(value.type):
            error = emit_fma(builder, builder.fneg(value), r, one)  # 1 - value r
            r = emit_fma(builder, r, error, r)
        return r

    return value(value), emit


@intrinsic
def inverse_sqrt(typingctx, value):
    """1 / sqrt(value) to half the digits, from an estimate; value must be finite, and not 0."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        if not _HAS_ESTIMATES:  # never called, but compiled
            return value
        half = _constant(value.type, 0.5)
        r = _emit_estimate(builder, "rsqrt", value)
        for _ in _newton_steps(value.type)[1:]:  # `root` makes the last one
            product = builder.fmul(builder.fmul(value, r), r)
            error = emit_fma(builder, builder.fneg(half), product, half)  # (1 - value r^2) / 2
            r = emit_fma(builder, r, error, r)
        return r

    return value(value), emit


@inlined
def root(x):
    """The square root of x >= 0; of 0, something below 2e-19."""
    if not has_estimates(x):
        return sqrt(x)
    least = broadcast_like(x, 1.2e-38)  # the estimate of 1 / 0 is infinite
    x = select(x > least, x, least)
    r = inverse_sqrt(x)
    s = x * r
    return fma(fma(-s, s, x), r * 0.5, s)


@inlined
def quotient(a, b):
    """a / b within 2 ulp, for finite b that are neither 0 nor subnormal."""
    return a * reciprocal(b) if has_estimates(a) else a / b
