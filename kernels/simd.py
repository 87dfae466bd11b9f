"""Vectors of the host's width as values of numba code.

`load(array, index)` gives a vector of LANES numbers; `+ - * /`, comparisons, `fma`, `select`,
`sqrt` and others work lane by lane, and a plain Python number on one side is taken in the
vector's own precision. So formulas read like scalar ones, in float32 and float64 alike:

    a = 1 / (1 + exp(-z))

Memory is addressed as (array, index): the element `index` of a contiguous array of any shape, or
of what a pointer points to. The forms called `first` touch the first `count` lanes only, as the
end of a row needs.
"""

import operator

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast

from .emit import (
    declare,
    emit_address,
    emit_broadcast,
    emit_fma,
    emit_halves_tree,
    emit_load,
    emit_mask,
    emit_store,
    lanes_of,
    llvm_type,
    suffix,
    VectorType,
)

# Memory; `array` may be a pointer as well.


@intrinsic
def pointer(typingctx, array, index):
    """Pointer to element `index`; the array must outlive it."""

    def emit(context, builder, signature, arguments):
        return emit_address(context, builder, signature.args[0], *arguments)

    return types.CPointer(array.dtype)(array, types.intp), emit


@intrinsic
def advance(typingctx, pointer, count):
    """Pointer to what lies `count` elements further on."""

    def emit(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.intp), emit


@intrinsic
def lanes(typingctx, array):
    """Return how many numbers of the array's dtype fill a vector: a compile-time constant."""

    def emit(context, builder, signature, arguments):
        return ir.IntType(64)(lanes_of(signature.args[0].dtype))

    return types.int64(array), emit


@intrinsic
def parts(typingctx, count, most):
    """How many parts of at most `most`, 1 or more, make up `count`, 0 or more; both below 2^31.

    Numba's own division looks for a zero and rounds towards minus infinity: 35 ns, as long as a
    small tile.
    """

    def emit(context, builder, signature, arguments):
        short, word = ir.IntType(32), ir.IntType(64)
        count, most = (builder.trunc(a, short) for a in arguments)
        rounded = builder.add(count, builder.sub(most, short(1)))
        return builder.zext(builder.udiv(rounded, most), word)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def load(typingctx, array, index):
    """LANES numbers from element `index` on."""

    def emit(context, builder, signature, arguments):
        pointer = emit_address(context, builder, signature.args[0], *arguments)
        return emit_load(builder, pointer, llvm_type(signature.return_type))

    return VectorType(array.dtype)(array, types.intp), emit


@intrinsic
def load_first(typingctx, array, index, count):
    """The first `count` of LANES numbers from element `index` on; the other lanes are 0."""

    def emit(context, builder, signature, arguments):
        array, index, count = arguments
        pointer = emit_address(context, builder, signature.args[0], array, index)
        vector = llvm_type(signature.return_type)
        return emit_load(builder, pointer, vector, emit_mask(builder, count, vector.count))

    return VectorType(array.dtype)(array, types.intp, types.intp), emit


@intrinsic
def load_first_as(typingctx, like, array, index, count):
    """As `load_first`, but as many numbers as `like` has lanes, and in its precision or a higher.

    `like` is an array or pointer; of an array in float32, float64 numbers are made.
    """

    def emit(context, builder, signature, arguments):
        _, array, index, count = arguments
        kind = llvm_type(signature.return_type)
        source = ir.VectorType(context.get_value_type(signature.args[1].dtype), kind.count)
        pointer = emit_address(context, builder, signature.args[1], array, index)
        value = emit_load(builder, pointer, source, emit_mask(builder, count, kind.count))
        return value if source.element == kind.element else builder.fpext(value, kind)

    return VectorType(like.dtype)(like, array, types.intp, types.intp), emit


@intrinsic
def store(typingctx, array, index, value):
    """Write a vector to element `index` on."""

    def emit(context, builder, signature, arguments):
        array, index, value = arguments
        emit_store(builder, value, emit_address(context, builder, signature.args[0], array, index))
        return context.get_dummy_value()

    return types.void(array, types.intp, VectorType(array.dtype)), emit


@intrinsic
def store_first(typingctx, array, index, value, count):
    """Write the first `count` lanes of a vector to element `index` on."""

    def emit(context, builder, signature, arguments):
        array, index, value, count = arguments
        pointer = emit_address(context, builder, signature.args[0], array, index)
        emit_store(builder, value, pointer, emit_mask(builder, count, value.type.count))
        return context.get_dummy_value()

    return types.void(array, types.intp, VectorType(array.dtype), types.intp), emit


@intrinsic
def broadcast(typingctx, array, number):
    """`number` in every lane of a vector of the array's dtype."""

    def emit(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], signature.args[1], signature.return_type)

    return VectorType(array.dtype)(array, number), emit


@intrinsic
def broadcast_like(typingctx, vector, number):
    """`number` in every lane of a vector like the given one."""

    def emit(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], signature.args[1], signature.return_type)

    return vector(vector, number), emit


@intrinsic
def is_double(typingctx, value):
    """Whether the lanes are float64, a compile-time constant: LLVM drops the other branch."""

    def emit(context, builder, signature, arguments):
        return context.get_constant(types.boolean, value.dtype == types.float64)

    return types.boolean(value), emit


@intrinsic
def first_lanes(typingctx, vector, count):
    """Mask of the first `count` lanes of vectors like the given one."""

    def emit(context, builder, signature, arguments):
        return emit_mask(builder, arguments[1], arguments[0].type.count)

    return VectorType(vector.dtype, mask=True)(vector, types.intp), emit


# Arithmetic. A plain number among the operands is first made a vector of the others' type.


@lower_cast(types.Number, VectorType)
def _number_to_vector(context, builder, from_type, to_type, value):
    if isinstance(from_type, types.Literal):
        value = context.get_constant(to_type.dtype, from_type.literal_value)
    else:
        value = context.cast(builder, value, from_type, to_type.dtype)
    return emit_broadcast(builder, value, to_type.lanes)


def _vector_among(operands):
    if all(isinstance(t, VectorType | types.Number) for t in operands):
        return next((t for t in operands if isinstance(t, VectorType) and not t.mask), None)
    return None


# Numba asks some forty definitions of an operator in turn, but those for this target first.
_FIRST = {"target": "cpu"}


def _binary(operation, emit, *, to_mask=False):
    """Give a Python operator its meaning for vectors."""

    @infer_global(operation)
    class _(AbstractTemplate):
        metadata = _FIRST

        def generic(self, args, kws):
            vector = _vector_among(args)
            if vector is None or len(args) != 2:
                return None
            return signature(VectorType(vector.dtype, mask=to_mask), vector, vector)

    @lower_builtin(operation, VectorType, VectorType)
    def _(context, builder, signature, arguments):
        return emit(builder, *arguments)


_binary(operator.add, ir.IRBuilder.fadd)
_binary(operator.sub, ir.IRBuilder.fsub)
_binary(operator.mul, ir.IRBuilder.fmul)
_binary(operator.truediv, ir.IRBuilder.fdiv)
for _operation, _symbol in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _binary(
        _operation,
        lambda builder, a, b, symbol=_symbol: builder.fcmp_ordered(symbol, a, b),
        to_mask=True,
    )


@infer_global(operator.neg)
class _Negative(AbstractTemplate):
    metadata = _FIRST

    def generic(self, args, kws):
        return signature(args[0], args[0]) if isinstance(args[0], VectorType) else None


@lower_builtin(operator.neg, VectorType)
def _negative(context, builder, signature, arguments):
    return builder.fneg(arguments[0])


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, any of them a plain number, in one rounding where the processor can."""
    vector = _vector_among((a, b, c))

    def emit(context, builder, signature, arguments):
        return emit_fma(builder, *arguments)

    return vector(vector, vector, vector), emit


@intrinsic
def select(typingctx, mask, a, b):
    """`a` where the mask is true, `b` elsewhere."""
    vector = VectorType(mask.dtype)

    def emit(context, builder, signature, arguments):
        return builder.select(*arguments)

    return vector(mask, vector, vector), emit


def _llvm_function(name):
    """Emit code for a function of one vector that LLVM knows by name."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        function = declare(builder, f"llvm.{name}.{suffix(value.type)}", value.type, [value.type])
        return builder.call(function, arguments)

    return emit


@intrinsic
def sqrt(typingctx, value):
    """Square root of each lane."""
    return value(value), _llvm_function("sqrt")


@intrinsic
def absolute(typingctx, value):
    """Absolute value of each lane."""
    return value(value), _llvm_function("fabs")


@intrinsic
def copy_sign(typingctx, value, sign):
    """The size of `value` with the sign of `sign`, lane by lane."""

    def emit(context, builder, signature, arguments):
        vector = arguments[0].type
        name = f"llvm.copysign.{suffix(vector)}"
        return builder.call(declare(builder, name, vector, [vector, vector]), arguments)

    return value(value, value), emit


# From a vector to one number.


@intrinsic
def sum_lanes(typingctx, value):
    """Sum of the lanes, halves first: ((0+8)+(4+12))+..."""

    def emit(context, builder, signature, arguments):
        total = emit_halves_tree(builder, list(arguments), builder.fadd)
        return builder.extract_element(total, ir.IntType(32)(0))

    return value.dtype(value), emit


@intrinsic
def max_lanes(typingctx, value):
    """Greatest lane; NaNs are passed over."""

    def emit(context, builder, signature, arguments):
        def greater(a, b):
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        greatest = emit_halves_tree(builder, list(arguments), greater)
        return builder.extract_element(greatest, ir.IntType(32)(0))

    return value.dtype(value), emit


@intrinsic
def first_true(typingctx, mask):
    """Index of the first lane that is true, or how many lanes there are."""

    def emit(context, builder, signature, arguments):
        (mask,) = arguments
        lanes = mask.type.count
        # One more bit, always set, ends the search.
        bits = builder.zext(builder.bitcast(mask, ir.IntType(lanes)), ir.IntType(64))
        bits = builder.or_(bits, ir.IntType(64)(1 << lanes))
        return builder.cttz(bits, ir.IntType(1)(1))

    return types.int64(mask), emit
