"""Numba's inference of types, which looks up at each addition what one is, with a memory."""

from numba.core import types
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NopythonTypeInference

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
            _answers[function, arguments] = self._context.resolve_function_type(
                function, arguments, keywords
            )
        return _answers[function, arguments]

    def resolve_getattr(self, kind, name):
        """Return the type of an attribute."""
        if (kind, name) not in _answers:
            _answers[kind, name] = self._context.resolve_getattr(kind, name)
        return _answers[kind, name]


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
