"""How kernels call each other: a value is passed as it is, and returned as it is.

Numba passes the fields of a tuple one by one, for the function to put together again. A result it
has written, field by field, to a place in the caller's memory, and an error to another. A kernel
that Python calls is called so; of its parts LLVM had to take all that away again.
"""

import copy

from llvmlite import ir
from numba.core.callconv import CPUCallConv
from numba.core.cpu import CPUContext

from .compiler import is_part


class KernelConvention(CPUCallConv):
    """Numba's convention, but for parts of kernels."""

    def get_function_type(self, restype, argtypes):
        """Return a function's type in LLVM."""
        if not is_part(argtypes):
            return super().get_function_type(restype, argtypes)
        result, *arguments = map(self.context.get_value_type, (restype, *argtypes))
        return ir.FunctionType(result, arguments)

    def decorate_function(self, fn, args, fe_argtypes, noalias=False):
        """Say of numba's places in memory that nothing else is there; a part has none."""
        if not is_part(fe_argtypes):
            super().decorate_function(fn, args, fe_argtypes, noalias)

    def decode_arguments(self, builder, argtypes, func):
        """Return the arguments of the function that is being written."""
        return func.args if is_part(argtypes) else super().decode_arguments(builder, argtypes, func)

    def call_function(self, builder, callee, resty, argtys, args, attrs=None):
        """Call a function: (whether it failed, what it returns)."""
        if is_part(argtys):
            return None, builder.call(callee, args)
        return super().call_function(builder, callee, resty, argtys, args, attrs)

    def return_user_exc(self, builder, *what, **where):
        """Say that a kernel never comes to where it would fail."""
        builder.unreachable()

    def return_status_propagate(self, builder, status):
        """Say so of where something that it calls has failed."""
        builder.unreachable()


class KernelContext(CPUContext):
    """Numba's context of a function that is compiled, with the convention above."""

    call_conv = property(KernelConvention)


def kernel_context(context):
    """Return numba's context as a KernelContext."""
    context = copy.copy(context)
    context.__class__ = KernelContext
    return context
