"""Numba's steps before types are known, without those that find nothing in a kernel.

By itself numba translates an inlined function again for every call of it, and copies it twice,
block by block, and with each block all variables of the function. That takes a tenth of the seconds
of compiling; looking for closures and the like takes 3 % more.
"""

import copy

from numba.core.compiler import DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.inline_closurecall import InlineWorker
from numba.core.untyped_passes import InlineInlinables

# By their names: what they look for are functions inside of functions, `with`, and loops over
# tuples of several types.
USELESS = {"with_lifting", "inline_closure_likes", "find_literally", "literal_unroll"}

_translated = {}  # function -> its numba IR, in which all that it calls is inlined already


class _Inliner(InlineWorker):
    """Puts a function's numba IR in the place of a call."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._compiler_pipeline = _untyped_pipeline

    def run_untyped_passes(self, func, enable_ssa=False):
        if func not in _translated:
            _translated[func] = super().run_untyped_passes(func, enable_ssa)
        return _translated[func]

    def inline_ir(self, caller_ir, block, i, callee_ir, callee_freevars, arg_typs=None):
        # One copy of all blocks at once has one copy of each variable. Numba goes on to copy each
        # block: so that it takes these instead, each is for now its own copy.
        callee_ir, blocks = callee_ir.copy(), copy.deepcopy(callee_ir.blocks)
        callee_ir.blocks = blocks
        for ours in blocks.values():
            ours.__deepcopy__ = lambda memo, ours=ours: ours
        try:
            return super().inline_ir(caller_ir, block, i, callee_ir, callee_freevars, arg_typs)
        finally:
            for ours in blocks.values():
                del ours.__deepcopy__


@register_pass(mutates_CFG=True, analysis_only=False)
class InlineOnce(InlineInlinables):
    """Numba's pass, by the inliner above."""

    _name = "inline_once"

    def _do_work(self, state, work_list, block, i, expr, inline_worker):
        inliner = _Inliner(
            state.typingctx, state.targetctx, state.locals, state.pipeline, state.flags,
            validator=inline_worker.validator,
        )  # fmt: skip
        return super()._do_work(state, work_list, block, i, expr, inliner)


def inline_once(pipeline):
    """Give a pipeline of numba's this way to inline, and no useless steps; return it."""
    pipeline.passes = [
        (InlineOnce if step is InlineInlinables else step, what)
        for step, what in pipeline.passes
        if step.name() not in USELESS
    ]
    pipeline.finalize()
    return pipeline


def _untyped_pipeline(state):
    return inline_once(DefaultPassBuilder.define_untyped_pipeline(state))
