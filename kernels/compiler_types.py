"""Numba's inference of types, which looks up at each addition what one is, with a memory."""

from numba.core import types
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NopythonTypeInference
from numba.core.typing import signature

_answers = {}  # what was asked of numba's typing context -> its answer


class Remembering:
    """A typing context of numba's, with answers that it has given before."""

    def __init__(self, context):
        self._context = context

    def __getattr__(self, name):
        return getattr(self._context, name)

    def resolve_function_type(self, function, arguments, keywords):
        """Return the signature of an operator, or of another function, for arguments of types."""
        if not isinstance(function, types.Function) or keywords:
            return self._context.resolve_function_type(function, arguments, keywords)
        if (function, arguments) not in _answers:
            if is_extreme(function, arguments):
                answer = self._type_of_extreme(arguments)
            else:
                answer = self._context.resolve_function_type(function, arguments, keywords)
            _answers[function, arguments] = answer
        return _answers[function, arguments]

    def _type_of_extreme(self, arguments):
        """Return the signature of min or max, of which numba would first compile a function."""
        kinds = tuple(map(types.unliteral, arguments))
        return signature(self._context.unify_types(*kinds), *kinds)

    def resolve_value_type(self, value):
        """Return the type of a function, or of another value."""
        if not callable(value):
            return self._context.resolve_value_type(value)
        if value not in _answers:
            _answers[value] = self._context.resolve_value_type(value)
        return _answers[value]

    def resolve_getattr(self, kind, name):
        """Return the type of an attribute."""
        if (kind, name) not in _answers:
            _answers[kind, name] = self._context.resolve_getattr(kind, name)
        return _answers[kind, name]


def is_extreme(function, arguments) -> bool:
    """Whether this is min or max of several numbers."""
    if getattr(function, "typing_key", None) not in (min, max):
        return False
    are_numbers = all(isinstance(kind, types.Number | types.Boolean) for kind in arguments)
    return are_numbers and len(arguments) > 1


@register_pass(mutates_CFG=True, analysis_only=False)
class InferTypes(NopythonTypeInference):
    """Numba's pass, with a memory."""

    _name = "infer_types"

    def run_pass(self, state):
        """Infer the type of each variable."""
        context = state.typingctx
        state.typingctx = Remembering(context)
        try:
            return super().run_pass(state)
        finally:
            state.typingctx = context
