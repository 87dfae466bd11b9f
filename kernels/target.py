"""The processor that numba compiles for: how wide its vectors are, and its mode for subnormals."""

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

ALIGNMENT = 64  # a cache line, in bytes

# Names under which LLVM knows processors, for when numba was given a name and no features.
_AVX512 = {
    *("skylake-avx512", "cascadelake", "cooperlake", "cannonlake", "icelake-client"),
    *("icelake-server", "tigerlake", "rocketlake", "sapphirerapids", "emeraldrapids"),
    *("graniterapids", "graniterapids-d", "knl", "knm", "znver4", "znver5", "x86-64-v4"),
}
_AVX2 = {
    *("haswell", "core-avx2", "broadwell", "skylake", "alderlake", "raptorlake", "meteorlake"),
    *("arrowlake", "lunarlake", "sierraforest", "bdver4", "znver1", "znver2", "znver3"),
    "x86-64-v3",
}


def _features() -> dict[str, bool]:
    """What the processor can do beside its name, by LLVM's names."""
    if config.CPU_FEATURES is None:
        return llvm.get_host_cpu_features()
    return {f[1:]: f.startswith("+") for f in config.CPU_FEATURES.split(",") if f}


def _vector_bytes() -> int:
    """Bytes of the widest vector; 16 everywhere else, as SSE2 and NEON have it."""
    present = _features()
    if present.get("avx512f"):
        return 64
    if present.get("avx2"):
        return 32
    if config.CPU_FEATURES is not None and config.CPU_NAME in _AVX512:
        return 64
    if config.CPU_FEATURES is not None and config.CPU_NAME in _AVX2:
        return 32
    return 16


VECTOR_BYTES = _vector_bytes()
# Whether a vector's bytes, or its 16-bit numbers, can be moved together: AVX-512 VBMI2.
COMPRESSES_BYTES = VECTOR_BYTES == 64 and bool(_features().get("avx512vbmi2"))

_X86 = llvm.get_process_triple().startswith(("x86_64", "i686", "i386"))
_FLUSH = 0x8040  # MXCSR: results that would be subnormal, and operands that are, count as 0
_WORD = ir.IntType(32)


def _emit_mode_access(builder, name, place):
    """Store MXCSR to a word of the stack, or load it from there."""
    address = builder.bitcast(place, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [address.type])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [address])


@intrinsic
def flush_subnormals(typingctx):
    """Make this thread take subnormal numbers for 0; return what `restore_subnormals` needs.

    Optimizer state that decays towards 0 otherwise ends among them, and each operation on one
    takes some 100 cycles: a step of [784, 100, 10] with Adam took 820 us instead of 130.
    """

    def emit(context, builder, signature, arguments):
        if not _X86:
            return _WORD(0)
        place = cgutils.alloca_once(builder, _WORD)
        _emit_mode_access(builder, "llvm.x86.sse.stmxcsr", place)
        before = builder.load(place)
        builder.store(builder.or_(before, _WORD(_FLUSH)), place)
        _emit_mode_access(builder, "llvm.x86.sse.ldmxcsr", place)
        return before

    return types.int32(), emit


@intrinsic
def restore_subnormals(typingctx, before):
    """Give this thread the mode back that it had before `flush_subnormals`."""

    def emit(context, builder, signature, arguments):
        if _X86:
            place = cgutils.alloca_once_value(builder, arguments[0])
            _emit_mode_access(builder, "llvm.x86.sse.ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(before), emit
