"""How threads of one training call share the work, and where they wait for each other.

Every thread runs the same kernel on the same arrays. The outputs of a product are shared out,
never its sums: each number is computed by one thread in one order, so the bits of a result do
not depend on the number of threads. Between phases stands a barrier: a counter that the threads
spin on, 0.05 us on idle cores; after a while they hand the core over.
"""

import sys

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .jit import kernel

# Places in the barrier's array, the two that threads spin on a cache line apart.
ARRIVED, BAD_INPUT, GENERATION = 0, 1, 8
# Some 1 ms: who shares a core with another program, and hands it over, has it back after 4. With
# 10 us, and one core shared, two threads train [784, 256, 128, 10] at a 17th of the speed.
SPINS = 200_000

_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


@intrinsic
def _atomic_add(typingctx, array, index, value):
    """Add to an element and return what it was."""

    def emit(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        return builder.atomic_rmw("add", place, arguments[2], "acq_rel")

    return types.int64(array, types.intp, types.int64), emit


@intrinsic
def _atomic_load(typingctx, array, index):
    """Read an element that another thread may write."""

    def emit(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(data, [arguments[1]]), "acquire", 8)

    return types.int64(array, types.intp), emit


@intrinsic
def _yield_core(typingctx):
    """Let the operating system run somebody else."""

    def emit(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, _YIELD), [])
        return context.get_dummy_value()

    return types.void(), emit


@kernel
def wait_for_all(team):
    """Return when all threads have called; what they wrote before is then seen by all."""
    barrier, n_threads = team.barrier, team.n_threads
    if n_threads == 1:
        return
    generation = _atomic_load(barrier, GENERATION)
    if _atomic_add(barrier, ARRIVED, 1) == n_threads - 1:
        _atomic_add(barrier, ARRIVED, -n_threads)
        _atomic_add(barrier, GENERATION, 1)
        return
    spins = 0
    while _atomic_load(barrier, GENERATION) == generation:
        spins += 1
        if spins > SPINS:
            _yield_core()


@kernel
def share(count, unit, team):
    """(first, last) of this thread's part of range(count), cut at multiples of `unit`."""
    return share_of(count, unit, team.thread, team.n_threads)


@kernel
def share_of(count, unit, thread, n_threads):
    """The same of any thread."""
    if n_threads == 1:
        return 0, count
    units = (count + unit - 1) // unit
    first = units * thread // n_threads * unit
    last = units * (thread + 1) // n_threads * unit
    return min(first, count), min(last, count)
