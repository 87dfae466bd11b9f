"""Numba's way from typed statements to LLVM's, in fewer of these.

Numba keeps variables in memory, has a `range` count how many turns are left, makes functions of
`min` and `max`, and asks after each call whether it failed. LLVM takes all that away again. Of
72,600 lines for `train` 30,000 are left, with what compiler_calls.py does for calls.
"""

import operator
from collections import Counter

from numba.core import cgutils, ir, types
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.cpython.builtins import do_minmax

from .compiler import is_part
from .compiler_types import is_extreme, Remembering


class _LowerKernel(Lower):
    """What numba writes down for LLVM, where kernels need less."""

    def lower(self):
        """Lower a function; forget what only that needed to know."""
        super().lower()
        self.fndesc.typemap = self.fndesc.calltypes = None

    def _find_singly_assigned_variable(self):
        """Take for values, not places in memory, all variables that are assigned to once.

        Numba does so only where all uses are in the same block. Here blocks come in an order in
        which none is used before it has a value (compiler_passes.StripPhis).
        """
        assigned = Counter(
            statement.target.name
            for block in self.blocks.values()
            for statement in block.find_insts(ir.Assign)
        )
        self._singly_assigned_vars = {name for name, times in assigned.items() if times == 1}
        self._blk_local_varmap = {}

    def loadvar(self, name):
        """Return a variable's value."""
        if name in self._blk_local_varmap:
            return self._blk_local_varmap[name]
        return self.builder.load(self.getvar(name))

    def storevar(self, value, name, argidx=None):
        """Give a variable its value; of the one it had numba would count who uses it."""
        if name in self._singly_assigned_vars:
            self._blk_local_varmap[name] = value
        else:
            self.builder.store(value, self.getvar(name))

    def lower_inst(self, inst):
        """Lower a statement; a part returns its value as it is."""
        self.debuginfo.mark_location(self.builder, self.loc.line)
        if isinstance(inst, ir.Assign):
            name = inst.target.name
            self.storevar(self.lower_assign(self.typeof(name), inst), name)
        elif isinstance(inst, ir.Return) and is_part(self.fndesc.argtypes):
            self.builder.ret(self.loadvar(inst.value.name))
        else:
            super().lower_inst(inst)

    def lower_binop(self, resty, expr, op):
        """Lower an operator, of which a type is asked for once; numba looks for constants, too."""
        if op in (operator.pow, operator.ipow):  # which has other code for a constant
            return super().lower_binop(resty, expr, op)
        context, kinds = self.context, self.fndesc.calltypes[expr].args
        typing = Remembering(context.typing_context)
        op = typing.resolve_value_type(op)
        signature = typing.resolve_function_type(op, kinds, {})
        values = [self._cast_var(expr.lhs, kinds[0]), self._cast_var(expr.rhs, kinds[1])]
        result = context.get_function(op, signature)(self.builder, values)
        return context.cast(self.builder, result, signature.return_type, resty)

    def lower_expr(self, resty, expr):
        """Lower an expression; a loop over a range in 12 rather than 60 instructions."""
        if expr.op == "getiter" and isinstance(resty, types.RangeIteratorType):
            return self._begin_range(resty, self.loadvar(expr.value.name))
        if expr.op in ("iternext", "pair_first", "pair_second"):
            kind, value = self.typeof(expr.value.name), self.loadvar(expr.value.name)
            if isinstance(kind, types.RangeIteratorType):
                return self._next_of_range(resty, value)
            if isinstance(kind, types.Pair):
                return self.builder.extract_value(value, int(expr.op == "pair_second"))
        return super().lower_expr(resty, expr)

    def _begin_range(self, kind, range_value):
        """Return an iterator: where the next number is, and where the range stops, and its step."""
        builder = self.builder
        start, stop, step = (builder.extract_value(range_value, i) for i in range(3))
        place = cgutils.alloca_once_value(builder, start)
        iterator = self.context.get_constant_undef(kind)
        for i, part in enumerate((place, stop, step)):
            iterator = builder.insert_value(iterator, part, i)
        return iterator

    def _next_of_range(self, kind, iterator):
        """Return the next number, and whether it is still in the range."""
        builder = self.builder
        place, stop, step = (builder.extract_value(iterator, i) for i in range(3))
        number = builder.load(place)
        builder.store(builder.add(number, step, flags=["nsw"]), place)
        is_below, is_above = (builder.icmp_signed(sign, number, stop) for sign in "<>")
        is_rising = builder.icmp_signed(">", step, step.type(0))
        is_inside = builder.select(is_rising, is_below, is_above)
        pair = builder.insert_value(self.context.get_constant_undef(kind), number, 0)
        return builder.insert_value(pair, is_inside, 1)

    def _lower_call_normal(self, fnty, expr, signature):
        """Lower a call of a function that has a name."""
        if isinstance(fnty, types.Dispatcher):
            lower = self._call_kernel
        elif is_extreme(fnty, signature.args):
            lower = self._take_extreme
        else:
            return super()._lower_call_normal(fnty, expr, signature)
        values = self.fold_call_args(fnty, signature, expr.args, expr.vararg, expr.kws)
        return lower(fnty, signature, values)

    def _call_kernel(self, kind, signature, values):
        """Call a kernel, and not ask whether it failed: none can."""
        context, builder = self.context, self.builder
        context.add_linking_libs(context.get_function(kind, signature).libs)
        called = kind.dispatcher.overloads[signature.args].fndesc
        function, convention = context.declare_function(builder.module, called), self.call_conv
        _, result = convention.call_function(
            builder, function, called.restype, called.argtypes, values
        )
        return result

    def _take_extreme(self, kind, signature, values):
        """Compare for min and max where they are asked for; numba makes functions of them."""
        compare = operator.lt if kind.typing_key is min else operator.gt
        return do_minmax(self.context, self.builder, signature.args, values, compare)


@register_pass(mutates_CFG=True, analysis_only=False)
class LowerKernel(NativeLowering):
    """Numba's pass, by the class above."""

    _name = "lower_kernel"

    @property
    def lowering_class(self):
        """Return what lowers a function."""
        return _LowerKernel
