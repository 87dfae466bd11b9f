"""Warnings that look as if scikit-learn's module gave them: users' filters name it."""

import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

from sklearn.neural_network import _multilayer_perceptron as original

__all__ = ["call_as_original", "warn"]

# A function that scikit-learn's module might have, in no line of its file. Python takes the place
# of a warning from who calls `warn`; to catch warnings and give them anew is not for threads.
_CALL = (lambda function, *arguments: function(*arguments)).__code__
_CALL = _CALL.replace(co_filename=str(original.__file__), co_firstlineno=0)
call_as_original: Callable[..., Any] = FunctionType(_CALL, vars(original))


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn from there."""
    call_as_original(warnings.warn, message, category)
