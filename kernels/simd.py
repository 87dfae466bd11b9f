"""Vectors of the host's width as values of numba code, and what a register tile needs.

`load(array, index)` gives a `Vector` of LANES numbers; `+ - * /`, comparisons, `fma`, `select`,
`minimum`, `maximum`, `sqrt` work lane by lane, and a plain Python number on one side is taken in
the vector's own precision. So formulas read like scalar ones, in float32 and float64 alike:

    a = 1 / (1 + exp(-z))

Memory is addressed as (array, index): the element `index` of a contiguous array of any shape.
The masked forms touch the first `count` lanes only, as a row's end needs.
"""

import operator

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

_AVX512_CPUS = ("avx512", "lake", "rapids", "znver4", "znver5", "x86-64-v4", "knl", "knm")
_AVX2_CPUS = ("haswell", "broadwell", "skylake", "znver", "alderlake", "x86-64-v3", "core-avx2")
_NOT_AVX512_CPUS = ("alderlake", "raptorlake", "meteorlake", "arrowlake", "lunarlake", "kabylake")


def _vector_bytes() -> int:
    """Bytes in the widest vector of the processor that numba compiles for."""
    features = config.CPU_FEATURES
    if features is None:
        present = llvm.get_host_cpu_features()
    else:
        present = {f[1:]: f.startswith("+") for f in features.split(",") if f}
    if present.get("avx512f"):
        return 64
    if present.get("avx2"):
        return 32
    if features is None or config.CPU_NAME is None:
        return 16
    # Numba was given a processor's name and no features: LLVM knows them by that name.
    name = config.CPU_NAME
    if any(part in name for part in _AVX512_CPUS) and name not in _NOT_AVX512_CPUS:
        return 64
    if any(part in name for part in (*_AVX2_CPUS, *_NOT_AVX512_CPUS)):
        return 32
    return 16


VECTOR_BYTES = _vector_bytes()
ALIGNMENT = 64  # a cache line


def lanes_of(dtype: types.Float) -> int:
    """How many numbers of `dtype` one vector holds."""
    return VECTOR_BYTES * 8 // dtype.bitwidth


class VectorType(types.Type):
    """Numba type of a vector: LANES numbers of `dtype`, or (`mask`) LANES truth values."""

    def __init__(self, dtype: types.Float, mask: bool = False):
        self.dtype = dtype
        self.mask = mask
        self.lanes = lanes_of(dtype)
        super().__init__(name=f"{'Mask' if mask else 'Vector'}({dtype}x{self.lanes})")

    def can_convert_from(self, typingctx, other):
        """A plain number stands for a vector of it."""
        return Conversion.safe if isinstance(other, types.Number) and not self.mask else None


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, llvm_type(fe_type))


def llvm_type(vector: VectorType) -> ir.VectorType:
    """LLVM's type of a vector or of a mask."""
    if vector.mask:
        return ir.VectorType(ir.IntType(1), vector.lanes)
    return ir.VectorType(scalar_type(vector.dtype), vector.lanes)


def scalar_type(dtype: types.Float) -> ir.Type:
    """LLVM's type of one lane."""
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


# What the intrinsics here and in tiles.py are made of: functions that emit LLVM code.


def emit_broadcast(builder, scalar, lanes):
    """All lanes hold `scalar`."""
    kind = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(
        first, ir.Constant(kind, ir.Undefined), ir.VectorType(ir.IntType(32), lanes)(None)
    )


def emit_address(context, builder, array_type, array, index):
    """Pointer to element `index` of a contiguous array, or of what a pointer points to."""
    if isinstance(array_type, types.CPointer):
        return builder.gep(array, [index])
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def emit_mask(builder, count, lanes):
    """Lane i is true where i < count."""
    kind = ir.VectorType(ir.IntType(32), lanes)
    lane_numbers = ir.Constant(kind, list(range(lanes)))
    limit = emit_broadcast(builder, builder.trunc(count, ir.IntType(32)), lanes)
    return builder.icmp_signed("<", lane_numbers, limit)


def emit_loop_mask(builder, count, lanes):
    """The same for 0 <= count <= lanes, as bits: LLVM would sink a comparison into the loop."""
    word = ir.IntType(64)
    bits = builder.sub(builder.shl(word(1), count), word(1))
    return builder.bitcast(
        builder.trunc(bits, ir.IntType(lanes)), ir.VectorType(ir.IntType(1), lanes)
    )


def _get(builder, kind, name):
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _declare(builder, name, result, arguments):
    return _get(builder, ir.FunctionType(result, arguments), name)


def _suffix(vector) -> str:
    return f"v{vector.count}{'f32' if vector.element == ir.FloatType() else 'f64'}"


def emit_load(builder, pointer, vector, mask=None):
    """Load a vector from an address of any alignment; lanes outside the mask are 0."""
    size = 4 if vector.element == ir.FloatType() else 8
    pointer = builder.bitcast(pointer, vector.as_pointer())
    if mask is None:
        return builder.load(pointer, align=size)
    function = _declare(
        builder,
        f"llvm.masked.load.{_suffix(vector)}.p0",
        vector,
        [vector.as_pointer(), ir.IntType(32), mask.type, vector],
    )
    zeros = ir.Constant(vector, None)
    return builder.call(function, [pointer, ir.IntType(32)(size), mask, zeros])


def emit_store(builder, value, pointer, mask=None):
    """Store a vector to an address of any alignment; lanes outside the mask are left alone."""
    vector = value.type
    size = 4 if vector.element == ir.FloatType() else 8
    pointer = builder.bitcast(pointer, vector.as_pointer())
    if mask is None:
        builder.store(value, pointer, align=size)
        return
    function = _declare(
        builder,
        f"llvm.masked.store.{_suffix(vector)}.p0",
        ir.VoidType(),
        [vector, vector.as_pointer(), ir.IntType(32), mask.type],
    )
    builder.call(function, [value, pointer, ir.IntType(32)(size), mask])


def emit_fma(builder, a, b, c):
    """a * b + c, in one rounding where the processor has the instruction."""
    function = _declare(
        builder, f"llvm.fmuladd.{_suffix(a.type)}", a.type, [a.type, a.type, a.type]
    )
    return builder.call(function, [a, b, c])


def emit_halves_tree(builder, vectors, combine):
    """Reduce each of `vectors` to one lane: lane i of the result belongs to vectors[i].

    Each level adds the two halves of every vector and packs two results into one. Whatever the
    number of vectors, each is reduced in the same order, so its bits do not depend on the others.
    """
    lanes = vectors[0].type.count
    group = lanes
    while group > 1:
        group //= 2
        lower = [i for i in range(2 * lanes) if i // group % 2 == 0]
        upper = [i for i in range(2 * lanes) if i // group % 2 == 1]
        undefined = ir.Constant(vectors[0].type, ir.Undefined)
        packed = []
        for k in range(0, len(vectors), 2):
            first, second = (*vectors[k : k + 2], undefined)[:2]
            packed.append(
                combine(
                    builder.shuffle_vector(first, second, _lane_numbers(lower)),
                    builder.shuffle_vector(first, second, _lane_numbers(upper)),
                )
            )
        vectors = packed
    return vectors[0]


def emit_transpose(builder, block):
    """Transpose a square of vectors: blocks of 1, 2, 4, ... lanes change places across rows."""
    lanes = len(block)
    size = 1
    while size < lanes:
        upper = _lane_numbers([i if i // size % 2 == 0 else i - size + lanes for i in range(lanes)])
        lower = _lane_numbers([i + size if i // size % 2 == 0 else i + lanes for i in range(lanes)])
        swapped = list(block)
        for i in range(lanes):
            if i // size % 2 == 0:
                pair = block[i], block[i + size]
                swapped[i] = builder.shuffle_vector(*pair, upper)
                swapped[i + size] = builder.shuffle_vector(*pair, lower)
        block = swapped
        size *= 2
    return block


def _lane_numbers(numbers):
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


# What kernels call, memory first. `array` may be a pointer as well.


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
def transpose_block(typingctx, source, source_row, rows, columns, target, target_row):
    """Write the transpose of a square of LANES rows and columns; pointers, steps in elements.

    Of the source `rows` and `columns` are there, the rest counts as 0. Of the target `columns`
    rows are written, in whole vectors.
    """

    def emit(context, builder, signature, arguments):
        source, source_row, rows, columns, target, target_row = arguments
        vector = llvm_type(VectorType(signature.args[0].dtype))
        lanes, word = vector.count, ir.IntType(64)
        mask = emit_mask(builder, columns, lanes)
        block = []
        for i in map(word, range(lanes)):
            # A row that is not there is a masked load of no lane, from the first row.
            there = builder.icmp_signed("<", i, rows)
            at = builder.select(there, builder.mul(i, source_row), word(0))
            here = builder.and_(mask, emit_broadcast(builder, there, lanes))
            block.append(emit_load(builder, builder.gep(source, [at]), vector, here))
        for row, value in enumerate(emit_transpose(builder, block)):
            with builder.if_then(builder.icmp_signed("<", word(row), columns)):
                at = builder.mul(word(row), target_row)
                emit_store(builder, value, builder.gep(target, [at]))
        return context.get_dummy_value()

    size = types.intp
    return types.void(source, size, size, size, target, size), emit


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
    """Whether the lanes are float64: a compile-time constant, so only one branch is compiled."""

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


def _binary(operation, emit, *, to_mask=False):
    """Give a Python operator its meaning for vectors."""

    @infer_global(operation)
    class _(AbstractTemplate):
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
        function = _declare(builder, f"llvm.{name}.{_suffix(value.type)}", value.type, [value.type])
        return builder.call(function, arguments)

    return emit


@intrinsic
def reciprocal(typingctx, value):
    """1 / value to a few ulp, for what a remainder will put right; value must be finite.

    Many processors estimate it, and a Newton step later it is there in a quarter of the time of
    a division; LLVM knows where.
    """

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        one = ir.Constant(value.type, [1.0] * value.type.count)
        return builder.fdiv(one, value, flags=("arcp", "ninf", "contract"))

    return value(value), emit


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
        name = f"llvm.copysign.{_suffix(vector)}"
        return builder.call(_declare(builder, name, vector, [vector, vector]), arguments)

    return value(value, value), emit


@intrinsic
def erf(typingctx, value):
    """Error function of each lane, by the C library: one call a lane."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        double = ir.DoubleType()
        function = _declare(builder, "erf", double, [double])
        result = value
        for lane in map(ir.IntType(32), range(value.type.count)):
            x = builder.extract_element(value, lane)
            if x.type != double:
                y = builder.fptrunc(builder.call(function, [builder.fpext(x, double)]), x.type)
            else:
                y = builder.call(function, [x])
            result = builder.insert_element(result, y, lane)
        return result

    return value(value), emit


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


@intrinsic
def power_of_two(typingctx, value):
    """2^value for whole numbers in the range of normal exponents, by writing the exponent bits."""

    def emit(context, builder, signature, arguments):
        (value,) = arguments
        kind, integers, mantissa_bits, bias = _bit_layout(value.type)
        exponent = builder.add(builder.fptosi(value, integers), _constant(integers, bias))
        return builder.bitcast(builder.shl(exponent, _constant(integers, mantissa_bits)), kind)

    return value(value), emit


def _bit_layout(vector):
    """(the vector's type, integers of its size, bits of the mantissa, bias of the exponent)."""
    if vector.element == ir.FloatType():
        return vector, ir.VectorType(ir.IntType(32), vector.count), 23, 127
    return vector, ir.VectorType(ir.IntType(64), vector.count), 52, 1023


def _constant(vector, number):
    return ir.Constant(vector, [number] * vector.count)


# The processor's mode.

_X86 = llvm.get_process_triple().startswith(("x86_64", "i686", "i386"))
_FLUSH = 0x8040  # MXCSR: results that would be subnormal, and operands that are, count as 0


@intrinsic
def flush_subnormals(typingctx):
    """Make this thread take subnormal numbers for 0; return what `restore_subnormals` needs.

    Optimizer state that decays towards 0 otherwise ends among them, and each operation on one
    takes some 100 cycles: a step of [784, 100, 10] with Adam took 820 us instead of 80.
    """
    word = ir.IntType(32)

    def emit(context, builder, signature, arguments):
        if not _X86:
            return word(0)
        place = cgutils.alloca_once(builder, word)
        address = builder.bitcast(place, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type])
        builder.call(_get(builder, kind, "llvm.x86.sse.stmxcsr"), [address])
        before = builder.load(place)
        builder.store(builder.or_(before, word(_FLUSH)), place)
        builder.call(_get(builder, kind, "llvm.x86.sse.ldmxcsr"), [address])
        return before

    return types.int32(), emit


@intrinsic
def restore_subnormals(typingctx, before):
    """Give this thread the mode back that it had before `flush_subnormals`."""

    def emit(context, builder, signature, arguments):
        if _X86:
            place = cgutils.alloca_once_value(builder, arguments[0])
            address = builder.bitcast(place, ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [address.type])
            builder.call(_get(builder, kind, "llvm.x86.sse.ldmxcsr"), [address])
        return context.get_dummy_value()

    return types.void(before), emit


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
        greater = lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b)  # noqa: E731
        return builder.extract_element(
            emit_halves_tree(builder, list(arguments), greater), ir.IntType(32)(0)
        )

    return value.dtype(value), emit
