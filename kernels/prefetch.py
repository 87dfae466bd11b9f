"""Asking the memory for numbers ahead of their use: one question for each cache line.

A line comes from the third-level cache in 50 ns, and 16 may be on their way: asked for all at once,
or only when they are read, they keep the tiles waiting, 10 % of a large product. So it is best to
ask for a few lines at a time, between other work.
"""

from numba.core import types
from numba.extending import intrinsic

from .emit import emit_address, emit_prefetch
from .jit import inlined, kernel
from .simd import lanes
from .target import ALIGNMENT, VECTOR_BYTES


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of element `index`, to the second-level cache."""

    def emit(context, builder, signature, arguments):
        emit_prefetch(builder, emit_address(context, builder, signature.args[0], *arguments))
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


@intrinsic
def prefetch_to_write(typingctx, array, index):
    """Ask for the cache line of element `index`, and that no other core keeps it."""

    def emit(context, builder, signature, arguments):
        emit_prefetch(builder, emit_address(context, builder, signature.args[0], *arguments), 1)
        return context.get_dummy_value()

    return types.void(array, types.intp), emit


@inlined
def _ask_by_lines(ask, array, first, last):
    for i in range(first, last, ALIGNMENT // VECTOR_BYTES * lanes(array)):
        ask(array, i)


@inlined
def ask_for(array, first, last):
    """Ask for elements first .. last-1, to be read."""
    _ask_by_lines(prefetch, array, first, last)


@inlined
def ask_for_rows(A, first, last):
    """Ask for rows first .. last-1 of a matrix, whose columns lie side by side, to be read."""
    for r in range(first, min(last, A.rows)):
        _ask_by_lines(prefetch, A.data, r * A.row_step, r * A.row_step + A.columns)


@kernel
def ask_to_write(A):
    """Ask for the rows of a matrix, whose columns lie side by side, to be written."""
    for r in range(A.rows):
        _ask_by_lines(prefetch_to_write, A.data, r * A.row_step, r * A.row_step + A.columns)
