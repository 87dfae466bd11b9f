"""Numba's compiler, made to compile each kernel once, and what is inlined too (compiler_passes.py).

By itself numba optimises a function and makes machine code of it, and then does both again in each
caller, which takes in all that it calls. But the machine code of a kernel that only kernels call is
never run. So such a kernel stays as it is, a `Part`, until it is a part of one that Python calls:
that compiles in three quarters of the time.
"""

import llvmlite.binding as llvm
import numba
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from .emit import VectorType

# Of numba up to this version it is known how it compiles and loads. LLVM ends the process where it
# does not find something, so a later numba does both in its own way until it has been tried.
NEWEST_TRIED = 0, 68


class Part(JITCodeLibrary):
    """The code of a kernel that only kernels call, neither optimised nor made machine code."""

    def _optimize_functions(self, ll_module):
        pass

    def finalize(self):
        """Do nothing: what this calls is not linked here, but once, in the `Whole`."""
        self._finalized = True

    def get_pointer_to_function(self, name):
        """Return 0: there is none."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self):
        """Whom numba tells, by `set_env`, where a function's Python objects are."""
        return self

    def set_env(self, name, environment):
        """Do nothing: no code asks for them."""


class Whole(JITCodeLibrary):
    """The code of a kernel that Python calls, with all that it calls, linked and optimised once.

    Numba optimises each function by itself first, and then all of them twice.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self):
        """Take in what this calls, and what that calls, and make machine code of it."""
        libraries = self._linking_libraries
        for part in libraries:  # a list that grows meanwhile
            if isinstance(part, Part):
                libraries += [one for one in part._linking_libraries if one not in libraries]
        super().finalize()

    def _optimize_final_module(self):
        """Optimise as much as kernels need, in which vectors and tiles are written out.

        To look for vectors and to unroll loops takes 2 of 12 seconds, and makes steps 2 % slower.
        What else LLVM does at its highest level takes 0.6 s, for 5 to 11 % of a gradient through
        silu or elu.
        """
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        options.loop_vectorization = options.slp_vectorization = False
        options.loop_interleaving = options.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        builder.getModulePassManager().run(self._final_module, builder)
        self._shared_module = self._linkable()

    def _linkable(self):
        """Return a copy for who calls this, and for the disk: as numba makes it, but of now.

        Numba copies what making machine code has left. That has variables of different types in
        one place of the stack, which a second time is aligned for the first of them only.
        """
        copy = self._final_module.clone()
        for function in copy.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.external:
                function.linkage = "linkonce_odr"
        return copy


class KernelCompiler(Compiler):
    """Numba's compiler, which makes a `Part` of what Python cannot call."""

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        if library is None and is_part(args):
            flags.no_cpython_wrapper = True
            library = Part(targetctx.codegen(), "part of a kernel")
        elif library is None and is_tried():
            library = Whole(targetctx.codegen(), "kernel")
            library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)
        if is_tried():
            # Of numba's insides, which a later one may not have, as below.
            from .compiler_calls import kernel_context

            self.state.targetctx = kernel_context(self.state.targetctx)

    def define_pipelines(self):
        """Return numba's passes, but for how they inline, and without those that find nothing."""
        pipelines = super().define_pipelines()
        if is_tried():
            from .compiler_passes import without_useless

            pipelines = [without_useless(pipeline) for pipeline in pipelines]
        return pipelines


def is_tried() -> bool:
    """Whether this numba is known to compile and load as it is made to here."""
    return numba.version_info.short <= NEWEST_TRIED


def is_part(argument_types) -> bool:
    """Whether only kernels call a function of such arguments, and Python cannot."""
    return any(map(_is_native, argument_types))


def _is_native(kind):
    """Whether no Python object has this type: pointers, vectors, and tuples that hold one."""
    if isinstance(kind, types.CPointer | VectorType):
        return True
    return is_part(getattr(kind, "types", ()))
