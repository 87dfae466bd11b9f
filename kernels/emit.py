"""Vectors as a numba type, and the LLVM code that operations on them are made of.

`VectorType` is what simd.py gives to kernels. The functions here emit code: each takes llvmlite's
builder and LLVM values, and returns one. simd.py wraps them for use in kernels, tiles.py builds
register tiles from them.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typeconv import Conversion
from numba.extending import models, register_model

from .target import VECTOR_BYTES

_WORD = ir.IntType(64)


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
    bits = builder.sub(builder.shl(_WORD(1), count), _WORD(1))
    return builder.bitcast(
        builder.trunc(bits, ir.IntType(lanes)), ir.VectorType(ir.IntType(1), lanes)
    )


def declare(builder, name, result, arguments):
    """A function that LLVM or the C library knows by name."""
    kind = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, kind, name)


def suffix(vector) -> str:
    """How LLVM ends the name of an intrinsic for vectors like this one."""
    return f"v{vector.count}{'f32' if vector.element == ir.FloatType() else 'f64'}"


def emit_load(builder, pointer, vector, mask=None):
    """Load a vector from an address of any alignment; lanes outside the mask are 0."""
    size = 4 if vector.element == ir.FloatType() else 8
    pointer = builder.bitcast(pointer, vector.as_pointer())
    if mask is None:
        return builder.load(pointer, align=size)
    function = declare(
        builder,
        f"llvm.masked.load.{suffix(vector)}.p0",
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
    function = declare(
        builder,
        f"llvm.masked.store.{suffix(vector)}.p0",
        ir.VoidType(),
        [vector, vector.as_pointer(), ir.IntType(32), mask.type],
    )
    builder.call(function, [value, pointer, ir.IntType(32)(size), mask])


def emit_store_often_whole(builder, value, pointer, mask=None):
    """The same where the mask often has all lanes, which it need not then be asked for.

    By AVX2, AMD's processors take 8 (float64) or 17 cycles (float32) to store by any mask: steps of
    [784, 256, 128, 10] take 0.98 of the time.
    """
    if mask is None or VECTOR_BYTES != 32:
        emit_store(builder, value, pointer, mask)
        return
    bits = ir.IntType(mask.type.count)
    is_whole = builder.icmp_unsigned("==", builder.bitcast(mask, bits), bits(-1))
    with builder.if_else(is_whole) as (whole, part):
        with whole:
            emit_store(builder, value, pointer)
        with part:
            emit_store(builder, value, pointer, mask)


def emit_prefetch(builder, pointer, writes=0):
    """Ask for the cache line of any address, to the second-level cache; `writes`: to change it."""
    pointer, word = builder.bitcast(pointer, ir.IntType(8).as_pointer()), ir.IntType(32)
    function = declare(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer.type, word, word, word])
    builder.call(function, [pointer, word(writes), word(2), word(1)])  # cache; data


def emit_fma(builder, a, b, c):
    """a * b + c, in one rounding where the processor has the instruction."""
    function = declare(builder, f"llvm.fmuladd.{suffix(a.type)}", a.type, [a.type, a.type, a.type])
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
                    builder.shuffle_vector(first, second, lane_numbers(lower)),
                    builder.shuffle_vector(first, second, lane_numbers(upper)),
                )
            )
        vectors = packed
    return vectors[0]


def lane_numbers(numbers):
    """Which lanes a shuffle takes."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


def emit_depth_loop(builder, depth, sums, body):
    """Emit `for k in range(depth): sums = body(k, sums)`; return the final sums."""
    before = builder.block
    loop = builder.append_basic_block("depth")
    after = builder.append_basic_block("depth.end")
    builder.cbranch(builder.icmp_signed(">", depth, _WORD(0)), loop, after)

    builder.position_at_end(loop)
    k = builder.phi(_WORD)
    running = [builder.phi(s.type) for s in sums]
    updated = body(k, running)
    k_next = builder.add(k, _WORD(1))
    last = builder.block
    k.add_incoming(_WORD(0), before)
    k.add_incoming(k_next, last)
    for phi, start, value in zip(running, sums, updated, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, last)
    builder.cbranch(builder.icmp_signed("<", k_next, depth), loop, after)

    builder.position_at_end(after)
    results = [builder.phi(s.type) for s in sums]
    for phi, start, value in zip(results, sums, updated, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, last)
    return results
