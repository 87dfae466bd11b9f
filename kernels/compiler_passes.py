"""Numba's passes to machine code, without what finds nothing in a kernel.

Kernels have no closures, no `with`, no loops over tuples of several types, and nothing whose users
are counted. By numba's own passes they take a third longer to compile: it looks for all of these,
translates an inlined function anew for each call of it, goes through a whole function for every
variable of it, and looks up at each addition what an addition is.
"""

from collections import defaultdict

from numba.core import analysis, ir, ir_utils, ssa
from numba.core.compiler import DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.inline_closurecall import callee_ir_validator, InlineWorker
from numba.core.typed_passes import NativeLowering, NopythonTypeInference, PreLowerStripPhis
from numba.core.untyped_passes import InlineInlinables, ReconstructSSA

from .compiler_lowering import LowerKernel
from .compiler_types import InferTypes

# By their names. The last two note where each variable is used for the last time, for counting, and
# what numba would show of a function to who asks.
USELESS = {
    "with_lifting", "inline_closure_likes", "inline_overloads", "find_literally", "literal_unroll",
    "ir_legalization", "annotate_types",
}  # fmt: skip

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
        # Numba goes on to copy each block: so that it takes these instead, each is its own copy.
        callee_ir, blocks = callee_ir.copy(), _copy(callee_ir.blocks)
        callee_ir.blocks = blocks
        scope = _copy_scope(blocks[min(blocks)].scope)
        for ours in blocks.values():
            ours.scope = scope
            ours.__deepcopy__ = lambda memo, ours=ours: ours
        try:
            return super().inline_ir(caller_ir, block, i, callee_ir, callee_freevars, arg_typs)
        finally:
            for ours in blocks.values():
                del ours.__deepcopy__


def _copy(part):
    """Copy numba IR but for its variables, in whose places others are put."""
    kind = type(part)
    if kind in (list, tuple):
        return kind([_copy(each) for each in part])
    if kind is dict:
        return {key: _copy(value) for key, value in part.items()}
    if isinstance(part, ir.Block | ir.Inst):
        copied = object.__new__(kind)
        vars(copied).update(_copy(vars(part)))
        return copied
    return part


def _copy_scope(scope):
    """Copy what knows a function's variables, to which those that take their places are added."""
    copied = ir.Scope(scope.parent, scope.loc)
    for name, variable in scope.localvars._con.items():
        copied.localvars.define(name, variable)
    return copied


@register_pass(mutates_CFG=True, analysis_only=False)
class InlineOnce(InlineInlinables):
    """Numba's pass, by the inliner above."""

    _name = "inline_once"

    def run_pass(self, state):
        """Inline all that is to be; not, as numba, find out where each variable lives."""
        inliner = _Inliner(
            state.typingctx, state.targetctx, state.locals, state.pipeline, state.flags,
            validator=callee_ir_validator,
        )  # fmt: skip
        left = list(state.func_ir.blocks.items())
        while left:
            _, block = left.pop()
            for i, statement in enumerate(block.body):
                call = getattr(statement, "value", None)
                if getattr(call, "op", None) == "call" and ir_utils.guard(
                    self._do_work, state, left, block, i, call, inliner
                ):
                    break  # what follows in the block is left
        blocks = state.func_ir.blocks
        for dead in analysis.compute_cfg_from_blocks(blocks).dead_nodes():
            del blocks[dead]
        state.func_ir.blocks = ir_utils.simplify_CFG(blocks)
        return True


@register_pass(mutates_CFG=False, analysis_only=False)
class AssignOnce(ReconstructSSA):
    """Numba's pass, to the name."""

    _name = "assign_once"

    def run_pass(self, state):
        """Have each variable assigned to once; for each, go through the blocks it is in."""
        blocks = state.func_ir.blocks
        cfg = analysis.compute_cfg_from_blocks(blocks)
        frontiers, variables = ssa._iterated_domfronts(cfg), ssa._CacheListVars()
        assigned, used = defaultdict(list), defaultdict(set)
        found = {"defs": assigned, "uses": used}
        ssa._run_block_analysis(blocks, found, ssa._GatherDefsHandler())
        for name in ssa._find_defs_violators(blocks, cfg):
            labels = used[name] | {label for _, label in assigned[name]}
            some, definitions = ssa._fresh_vars(
                {label: block for label, block in blocks.items() if label in labels}, name
            )
            states = ssa._make_states(blocks) | {
                "varname": name,
                "defmap": definitions,
                "phimap": defaultdict(list),
                "cfg": cfg,
                "phi_locations": ssa._compute_phi_locations(frontiers, definitions),
            }
            blocks |= ssa._run_block_rewrite(some, states, ssa._FixSSAVars(variables))
            for label, phis in states["phimap"].items():
                blocks[label].body = phis + blocks[label].body
        self._patch_locals(state)
        state.func_ir._definitions = ir_utils.build_definitions(blocks)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class StripPhis(PreLowerStripPhis):
    """Numba's pass, less one more look at where each variable lives."""

    _name = "strip_phis_only"

    def run_pass(self, state):
        """Have assignments where the values of a variable meet, and what comes first first."""
        state.func_ir = self._strip_phi_nodes(state.func_ir)
        state.func_ir.blocks = ir_utils.rename_labels(state.func_ir.blocks)
        state.func_ir._definitions = ir_utils.build_definitions(state.func_ir.blocks)
        return True


OURS = {
    InlineInlinables: InlineOnce,
    ReconstructSSA: AssignOnce,
    NopythonTypeInference: InferTypes,
    PreLowerStripPhis: StripPhis,
    NativeLowering: LowerKernel,
}


def without_useless(pipeline):
    """Give a pipeline of numba's our passes, and no useless ones; return it."""
    pipeline.passes = [
        (OURS.get(step, step), what) for step, what in pipeline.passes if step.name() not in USELESS
    ]
    pipeline.finalize()
    return pipeline


def _untyped_pipeline(state):
    return without_useless(DefaultPassBuilder.define_untyped_pipeline(state))
