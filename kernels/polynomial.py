"""Polynomials of vectors, with a table of coefficients for each type of number."""

from llvmlite import ir
from numba.extending import intrinsic

from .emit import emit_fma


def polynomial(single, double):
    """Make a function of kernels: sum of c_i x^i, by the coefficients for float32 or float64.

    By pairs of terms, pairs of pairs and so on. One term after the other, each would wait for the
    last, and a processor cannot look ahead to as many vectors as that takes: the sigmoid took 39
    rather than 31 cycles a vector of float64, by AVX2.
    """

    @intrinsic
    def evaluate(typingctx, x):
        def emit(context, builder, signature, arguments):
            (x,) = arguments
            coefficients = single if x.type.element == ir.FloatType() else double
            terms = [ir.Constant(x.type, [c] * x.type.count) for c in coefficients]
            while len(terms) > 3:
                pairs = zip(terms[0::2], terms[1::2], strict=False)
                alone = terms[-1:] if len(terms) % 2 else []
                terms = [emit_fma(builder, upper, x, lower) for lower, upper in pairs] + alone
                x = builder.fmul(x, x)
            total = terms.pop()
            while terms:
                total = emit_fma(builder, total, x, terms.pop())
            return total

        return x(x), emit

    return evaluate
